import subprocess
import sys
from dataclasses import asdict, replace
from pathlib import Path

import pytest

from tests.worker.stages.ingest.making import LIMITS, make_tar, make_zip, two_classes
from worker.files.errors import FailureCode, UploadError
from worker.files.limits import Limits, ReadMeter, cpu_budget_seconds, make_safe_point
from worker.processes.child import StopRequest
from worker.processes.errors import InterruptedWorkError
from worker.stages.ingest.pipeline import Spec, ingest
from worker.stages.ingest.report import ProgressMeter

MIB = 1024**2


@pytest.fixture
def stop() -> StopRequest:
    return StopRequest()


class TestReadMeter:
    def test_counts_up_to_the_limit(self) -> None:
        meter = ReadMeter(replace(LIMITS, max_unpacked_bytes=10), archive_bytes=10)
        meter.add(10)
        with pytest.raises(UploadError) as caught:
            meter.add(1)
        assert caught.value.code is FailureCode.ARCHIVE_TOO_LARGE

    def test_a_small_archive_may_unpack_to_anything_small(self) -> None:
        ReadMeter(LIMITS, archive_bytes=1).add(64 * MIB)

    def test_a_large_ratio_is_suspicious(self) -> None:
        meter = ReadMeter(LIMITS, archive_bytes=MIB)
        meter.add(200 * MIB)
        with pytest.raises(UploadError) as caught:
            meter.add(1)
        assert caught.value.code is FailureCode.SUSPICIOUS_ARCHIVE


class TestSafePoint:
    def test_passes_when_all_is_well(self, stop: StopRequest) -> None:
        make_safe_point(stop, cpu_seconds=1e9)()

    def test_ends_the_work_on_request(self, stop: StopRequest) -> None:
        stop.requested = True
        with pytest.raises(InterruptedWorkError):
            make_safe_point(stop, cpu_seconds=1e9)()

    def test_ends_the_work_when_the_time_is_used_up(self, stop: StopRequest) -> None:
        with pytest.raises(UploadError) as caught:
            make_safe_point(stop, cpu_seconds=0.0)()
        assert caught.value.code is FailureCode.TOO_SLOW

    def test_larger_uploads_may_take_longer(self) -> None:
        assert cpu_budget_seconds(0) >= 60
        assert cpu_budget_seconds(1000 * MIB) > cpu_budget_seconds(MIB)

    def test_is_passed_between_any_two_members(self, archive: Path) -> None:
        """Stopping at the n-th safe point works for every n, wherever that is."""
        zipped = _num_safe_points(make_zip(archive, two_classes()))
        plain = _num_safe_points(make_tar(archive, two_classes()))
        packed = _num_safe_points(make_tar(archive, two_classes(), mode="w:gz"))
        assert 2 * len(two_classes()) <= min(zipped, plain)
        assert plain < packed


def _num_safe_points(archive: Path) -> int:
    passed = 0
    while _stops_at(archive, passed):
        passed += 1
    archive.with_name("out").joinpath("summary.json").unlink()
    return passed


def _stops_at(archive: Path, point: int) -> bool:
    left = iter(range(point))

    def safe_point() -> None:
        if next(left, None) is None:
            raise InterruptedWorkError

    spec = Spec(
        archive=archive,
        out_dir=archive.with_name("out"),
        blob_dir=archive.with_name("blobs"),
        image_size=None,
        limits=LIMITS,
    )
    try:
        ingest(spec, safe_point=safe_point, emit=lambda *_: None)
    except InterruptedWorkError:
        assert not (spec.out_dir / "summary.json").exists()
        return True
    return False


class TestProcess:
    @pytest.mark.parametrize(
        ("wish", "outcome"),
        [
            ("bytearray(4 << 30)", "MemoryError"),
            ("[open('/dev/null') for _ in range(200)]", "Too many open files"),
            ("print(resource.getrlimit(resource.RLIMIT_CORE))", "(0, 0)"),
            ("print(resource.getrlimit(resource.RLIMIT_CPU))", "(720, 720)"),
        ],
    )
    def test_walls_stand(self, wish: str, outcome: str) -> None:
        program = (
            "import resource\n"
            "from worker.files.limits import Limits, confine_process\n"
            f"confine_process(Limits(**{asdict(LIMITS)}), cpu_seconds=600.0)\n{wish}\n"
        )
        done = subprocess.run(
            [sys.executable, "-c", program], capture_output=True, text=True, check=False
        )
        assert outcome in done.stdout + done.stderr

    def test_limits_come_from_the_spec(self) -> None:
        assert Limits.from_spec({**asdict(LIMITS), "of_later_versions": 1}) == LIMITS


class TestProgressMeter:
    def test_tells_at_most_twice_a_second_and_always_the_end(self) -> None:
        now = 0.0
        told: list[tuple[float, float]] = []
        meter = ProgressMeter(lambda *news: told.append(news), clock=lambda: now)
        for done in range(1, 101):
            now += 0.1
            meter.update(num_done=done, num_total=100, num_images=done)
        assert 15 <= len(told) <= 21
        assert told[-1] == pytest.approx((1.0, 10.0))
        assert [fraction for fraction, _ in told] == sorted(fraction for fraction, _ in told)
