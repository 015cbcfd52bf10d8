"""What all pages promise, and what each shows."""

import hashlib
import json
import re
from pathlib import Path

import pytest
from fastapi import FastAPI
from starlette.testclient import TestClient

from app.core.clock import utc_now
from app.core.settings import Settings
from app.http.context import AppContext
from app.main import create_app
from app.models import JobKind, JobState, Tenant
from app.web import assets
from tests.app.web.conftest import FakeBrowser
from tests.support.factories import make_samples, publish_findings
from tests.support.rows import make_dataset, make_job, make_tenant

PAGES = ("/datasets", "/no-such-page")


class TestEveryPage:
    def test_runs_and_loads_nothing_but_packaged_files(self, signed_in: FakeBrowser) -> None:
        for path in PAGES:
            reply = signed_in.get(path)
            policy = reply.headers["content-security-policy"]
            assert "default-src 'none'" in policy
            assert "unsafe" not in policy
            assert not re.search(r"<script(?![^>]* src=)|<style|\sstyle=|\son\w+=", reply.text)
            links = re.findall(r'<(?:script|link|img)[^>]* (?:src|href)="([^"]+)"', reply.text)
            assert len(links) >= 4, path
            for link in links:
                reply = signed_in.get(link)
                assert reply.status_code == 200, link
                assert "immutable" in reply.headers["cache-control"]

    def test_is_kept_by_nobody(self, signed_in: FakeBrowser) -> None:
        assert signed_in.get("/datasets").headers["cache-control"] == "no-store"

    def test_comes_in_the_theme_that_was_chosen(self, browser: FakeBrowser) -> None:
        for theme, shown in (("dark", True), ("light", True), ("x", False)):
            html = browser.get("/sign-in", headers={"Cookie": f"labelaudit_theme={theme}"}).text
            assert (f'data-theme="{theme}"' in html) is shown, theme

    def test_root_leads_to_the_data_sets(self, signed_in: FakeBrowser) -> None:
        assert signed_in.get("/").headers["location"] == "/datasets"


class TestErrors:
    def test_are_pages_for_people_and_problems_for_programs(self, signed_in: FakeBrowser) -> None:
        reply = signed_in.get("/no-such-page")
        assert (reply.status_code, reply.headers["content-type"]) == (
            404,
            "text/html; charset=utf-8",
        )
        for path, accept in (("/no-such-page", "*/*"), ("/v1/no-such-page", "text/html")):
            reply = signed_in.get(path, headers={"Accept": accept})
            assert reply.headers["content-type"] == "application/problem+json", path

    def test_of_ours_tell_nothing_but_the_request(
        self, app: FastAPI, signed_in: FakeBrowser
    ) -> None:
        @app.get("/breaks")
        def breaks() -> None:
            raise RuntimeError("secret of ours")

        reply = signed_in.get("/breaks", headers={"X-Request-ID": "r-17"})
        assert reply.status_code == 500
        assert "r-17" in reply.text
        assert "secret of ours" not in reply.text


class TestWithoutKeys:
    def test_opens_at_once(self, settings: Settings) -> None:
        app = create_app(settings.model_copy(update={"auth": "off"}))
        browser = FakeBrowser(app, app.state.context)
        browser.base_url = "http://127.0.0.1:8000"
        with browser:
            page = browser.get("/datasets")
            assert page.status_code == 200
            assert "Sign out" not in page.text
            assert browser.get("/sign-in").headers["location"] == "/datasets"


class TestDatasets:
    def test_say_what_to_do_where_there_are_none(self, signed_in: FakeBrowser) -> None:
        assert "labelaudit audit photos --url http://testserver" in signed_in.get("/datasets").text

    def test_show_suspects_of_the_latest_audit(
        self, signed_in: FakeBrowser, context: AppContext, tenant: Tenant
    ) -> None:
        with context.database.unit_of_work() as session:
            dataset = make_dataset(session, tenant.id, name="<b>pets</b>")
            samples = make_samples(session, dataset, 7)
            make_job(session, dataset, state=JobState.FAILED)
            audit = make_job(session, dataset, finished_at=utc_now())
            publish_findings(session, audit, samples)
            make_job(session, dataset, kind=JobKind.EXPORT)
        text = signed_in.get("/datasets").text
        assert "&lt;b&gt;pets&lt;/b&gt;" in text
        assert "<strong>4</strong> labels worth a look" in text
        assert f'href="/jobs/{audit.id}"' in text
        assert "hx-get" not in text

    @pytest.mark.parametrize("state", [JobState.QUEUED, JobState.SUCCEEDED, JobState.FAILED])
    @pytest.mark.parametrize("kind", [JobKind.RECALIBRATE, JobKind.PREDICT, JobKind.EXPORT])
    def test_keep_the_audit_when_a_job_that_judges_nothing_follows(
        self,
        signed_in: FakeBrowser,
        context: AppContext,
        tenant: Tenant,
        kind: JobKind,
        state: JobState,
    ) -> None:
        with context.database.unit_of_work() as session:
            dataset = make_dataset(session, tenant.id)
            audit = make_job(session, dataset, finished_at=utc_now())
            publish_findings(session, audit, make_samples(session, dataset, 7))
            later = make_job(
                session, dataset, kind=kind, state=state, options={"job_id": str(audit.id)}
            )
        text = signed_in.get("/datasets").text
        assert "Audited" in text
        assert "<strong>4</strong> labels worth a look" in text
        assert f'href="/jobs/{audit.id}"' in text
        assert str(later.id) not in text

    @pytest.mark.parametrize("state", [JobState.RUNNING, JobState.FAILED, JobState.CANCELLED])
    def test_keep_the_results_of_the_last_audit_until_there_are_newer_ones(
        self, signed_in: FakeBrowser, context: AppContext, tenant: Tenant, state: JobState
    ) -> None:
        with context.database.unit_of_work() as session:
            dataset = make_dataset(session, tenant.id)
            audit = make_job(session, dataset, finished_at=utc_now())
            publish_findings(session, audit, make_samples(session, dataset, 7))
            later = make_job(session, dataset, state=state)
        text = signed_in.get("/datasets").text
        assert state.value.capitalize() in text
        assert f'href="/jobs/{later.id}"' in text
        assert "<strong>4</strong> labels worth a look" in text
        assert f'href="/jobs/{audit.id}"' in text

    def test_do_not_call_labels_right_that_could_not_be_judged(
        self, signed_in: FakeBrowser, context: AppContext, tenant: Tenant
    ) -> None:
        with context.database.unit_of_work() as session:
            dataset = make_dataset(session, tenant.id)
            audit = make_job(session, dataset, finished_at=utc_now())
            # The maker leaves the last one unjudged.
            publish_findings(session, audit, make_samples(session, dataset, 1), flagged=False)
        text = signed_in.get("/datasets").text
        assert "No label could be judged" in text
        assert "labels look" not in text

    def test_tell_how_far_the_review_is(
        self, signed_in: FakeBrowser, context: AppContext, tenant: Tenant
    ) -> None:
        with context.database.unit_of_work() as session:
            dataset = make_dataset(session, tenant.id)
            audit = make_job(session, dataset, finished_at=utc_now())
            samples = make_samples(session, dataset, 7)
            publish_findings(session, audit, samples)
            # Of these only the first is a suspect.
            samples[0].decision = samples[1].decision = "keep"
        assert "1 of 4 decided" in signed_in.get("/datasets").text

    def test_are_looked_at_again_while_a_job_runs(
        self, signed_in: FakeBrowser, context: AppContext, tenant: Tenant
    ) -> None:
        with context.database.unit_of_work() as session:
            job = make_job(session, make_dataset(session, tenant.id), state=JobState.RUNNING,
                           stage="train", epoch=3, epochs=20, eta_seconds=250.0)  # fmt: skip
        part = signed_in.get("/datasets", headers={"HX-Request-Type": "partial"}).text
        assert part.lstrip().startswith("<ul")
        assert "Epoch 3 of 20, about 4 minutes left" in part
        assert 'hx-get="/datasets"' in part
        assert str(job.id) in part

    def test_are_paged_and_of_one_tenant(
        self, signed_in: FakeBrowser, context: AppContext, tenant: Tenant
    ) -> None:
        with context.database.unit_of_work() as session:
            for number in range(21):
                make_dataset(session, tenant.id, name=f"ours-{number}")
            make_dataset(session, make_tenant(session, "theirs").id, name="not-ours")
        first = signed_in.get("/datasets").text
        older = re.search(r'href="(/datasets\?cursor=[^"]+)"', first)
        assert older is not None
        second = signed_in.get(older[1]).text
        names = re.findall(r"<bdi>((?:not-)?ours[^<]*)</bdi>", first + second)
        assert sorted(names) == sorted(f"ours-{number}" for number in range(21))

    def test_a_cursor_that_was_not_given_here_is_an_error_page(
        self, signed_in: FakeBrowser, app: FastAPI, context: AppContext, tenant: Tenant
    ) -> None:
        with context.database.unit_of_work() as session:
            other = make_tenant(session, "theirs")
            dataset = make_dataset(session, tenant.id)
            audit = make_job(session, dataset)
            publish_findings(session, audit, make_samples(session, dataset, 97))
            for _ in range(21):
                make_dataset(session, tenant.id)
                make_dataset(session, other.id)
        stranger = FakeBrowser(app, context)
        stranger.sign_in(other.id)
        text = stranger.get("/datasets").text
        foreign = re.findall(r'href="/datasets\?cursor=([^"]+)"', text)
        for path, field in ((f"/jobs/{audit.id}/review", "data-next"), ("/datasets", "href")):
            shown = signed_in.get(path).text
            [cursor] = re.findall(rf'{field}="{path}\?(?:[^"]*;)?cursor=([^"&]+)', shown)
            assert signed_in.get(f"{path}?cursor={cursor}").status_code == 200, path
            unsigned = cursor.rpartition(".")[0]
            for other_one in ("", "x", unsigned, f"A{cursor[1:]}", f"{cursor}A", *foreign):
                reply = signed_in.get(f"{path}?cursor={other_one}")
                assert reply.status_code == 422, (path, other_one)
                assert reply.headers["content-type"].startswith("text/html")


class TestAssets:
    def test_of_another_release_are_not_kept(self, anonymous: TestClient) -> None:
        for prefix in ("/static", "/static/v-0123456789abcdef"):
            reply = anonymous.get(f"{prefix}/js/app.js")
            assert reply.status_code == 200
            assert reply.headers["cache-control"] == "no-cache"

    def test_are_named_by_all_of_their_content(self, tmp_path: Path) -> None:
        (tmp_path / "a.js").write_text("1")
        before = assets._hash_all(tmp_path)
        (tmp_path / "a.js").write_text("2")
        assert assets._hash_all(tmp_path) != before

    def test_a_missing_one_is_found_out_at_once(self) -> None:
        with pytest.raises(FileNotFoundError):
            assets.url_of("js/none.js")


@pytest.mark.parametrize(
    "folder",
    [assets.FOLDER / "vendor", Path(__file__).parents[2] / "browser" / "vendor"],
    ids=["pages", "tests"],
)
def test_vendored_files_are_those_that_were_published(folder: Path) -> None:
    packages = json.loads((folder / "packages.json").read_text())
    listed = {f"{package}/{name}" for package in packages for name in packages[package]["files"]}
    there = {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}
    assert there == listed | {"packages.json"}
    for package, entry in packages.items():
        assert entry["version"]
        assert entry["licence"]
        for name, sha256 in entry["files"].items():
            content = (folder / package / name).read_bytes()
            assert hashlib.sha256(content).hexdigest() == sha256, name
