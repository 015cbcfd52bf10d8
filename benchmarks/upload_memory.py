"""Memory of the API process while it takes one large upload, and what others feel of it.

    python -m benchmarks.upload_memory [--gigabytes 2]

The body is made on the fly and is no real archive, so the job that follows fails: only the
way in is measured. Latency is that of `GET /v1/jobs` by a second client meanwhile.
"""

import argparse
import os
import platform
import statistics
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import httpx2

from benchmarks.machine import memory_mib
from tests.support.processes import find_processes
from tests.support.service import Service, running_service

_CHUNK = b"\x5a" * 1024 * 1024
_BOUNDARY = "benchmark-boundary"


def main() -> None:
    """Print one table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--gigabytes", type=float, default=2.0)
    num_chunks = int(parser.parse_args().gigabytes * 1024)
    with tempfile.TemporaryDirectory() as folder, running_service(Path(folder)) as service:
        [api] = [
            pid
            for pid in find_processes("labelaudit", "api")
            if _parent(pid) == service.process.pid
        ]
        before = memory_mib("VmRSS", api)
        latencies: list[float] = []
        done = threading.Event()
        other = threading.Thread(target=_look_around, args=(service, latencies, done))
        other.start()
        started = time.perf_counter()
        reply = _upload(service, num_chunks)
        seconds = time.perf_counter() - started
        done.set()
        other.join()
        print(f"{platform.machine()}, {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}")
        print(f"upload          {num_chunks / 1024:.1f} GiB in {seconds:.1f} s: {reply}")
        print(
            f"API process     {before:.0f} MiB before, {memory_mib('VmHWM', api):.0f} MiB at most"
        )
        print(
            f"GET /v1/jobs    median {statistics.median(latencies) * 1000:.0f} ms, "
            f"p95 {statistics.quantiles(latencies, n=20)[-1] * 1000:.0f} ms, n = {len(latencies)}"
        )


def _upload(service: Service, num_chunks: int) -> int:
    headers = {"Content-Type": f"multipart/form-data; boundary={_BOUNDARY}"}
    reply = service.http.post(
        "/v1/datasets", content=_body(num_chunks), headers=headers, timeout=600
    )
    return reply.status_code


def _body(num_chunks: int) -> Iterator[bytes]:
    yield (
        f"--{_BOUNDARY}\r\n"
        'Content-Disposition: form-data; name="file"; filename="large.zip"\r\n\r\n'
    ).encode()
    yield b"PK\x03\x04"
    for _ in range(num_chunks):
        yield _CHUNK
    yield f"\r\n--{_BOUNDARY}--\r\n".encode()


def _look_around(service: Service, latencies: list[float], done: threading.Event) -> None:
    with httpx2.Client(base_url=service.url, headers=service.http.headers) as client:
        while not done.wait(0.05):
            started = time.perf_counter()
            client.get("/v1/jobs").raise_for_status()
            latencies.append(time.perf_counter() - started)


def _parent(pid: int) -> int:
    return int(Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[1])


if __name__ == "__main__":
    main()
