"""How fast an upload is taken, beside a plain copy of the file that computes its SHA-256.

Each way in turn: the copy (read, hash, write, sync), the form of `POST /v1/datasets`, one `PATCH`
of tus, and the pieces with checksums that `labelaudit audit` sends. Client and service share the
machine's cores and its disk; what counts is the ratio to the copy of the same run.

    python -m benchmarks.upload_speed [--megabytes 1024] [--repeat 3] [--out RESULT.json]
"""

import argparse
import hashlib
import json
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

from app.core.durable import write_json
from benchmarks.machine import facts
from labelaudit import Client
from tests.support.service import Service, running_service

_CHUNK = 1024**2
_BOUNDARY = "benchmark-boundary"


def main() -> None:
    """Print one table, and write it as JSON where wanted."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--megabytes", type=int, default=1024)
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--out", type=Path)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name, running_service(Path(name)) as service:
        file = make_file(Path(name) / "large.zip", options.megabytes)
        runs = [measure(service, file) for _ in range(options.repeat)]
    ways = [way for way in runs[0] if way not in {"copy", "load"}]
    result = facts() | {
        "command": "python -m benchmarks.upload_speed",
        "megabytes": options.megabytes,
        "megabytes_per_second": runs,
        "ratio_to_copy": {way: [run[way] / run["copy"] for run in runs] for way in ways},
        "median_ratio": {
            way: statistics.median(run[way] / run["copy"] for run in runs) for way in ways
        },
    }
    print(json.dumps(result, indent=1))
    if options.out is not None:
        write_json(options.out, result)


def make_file(path: Path, num_megabytes: int) -> Path:
    """Write bytes that begin like a zip and cannot be compressed."""
    with path.open("wb") as file:
        file.write(b"PK\x03\x04")
        for _ in range(num_megabytes):
            file.write(os.urandom(_CHUNK))
    return path


def measure(service: Service, file: Path) -> dict[str, float]:
    """Take every way once; return megabytes a second."""
    ways: dict[str, Callable[[Service, Path], object]] = {
        "copy": copy,
        "multipart": send_form,
        "tus": send_stream,
        "tus_pieces": send_pieces,
    }
    rates = {"load": os.getloadavg()[0]}
    for name, way in ways.items():
        os.sync()
        started = time.perf_counter()
        way(service, file)
        rates[name] = file.stat().st_size / _CHUNK / (time.perf_counter() - started)
        tidy(service)
    print(rates, file=sys.stderr)
    return rates


def tidy(service: Service) -> None:
    """Delete the data sets, so that the disk does not fill up."""
    for job in service.http.get("/v1/jobs").json()["items"]:
        service.wait(job["id"])
    for dataset in service.http.get("/v1/datasets").json()["items"]:
        service.http.delete(f"/v1/datasets/{dataset['id']}").raise_for_status()


def copy(service: Service, file: Path) -> None:
    """Copy the file to where uploads lie, hashing it on the way."""
    digest, target = hashlib.sha256(), service.data_dir / "copy"
    with file.open("rb") as source, target.open("wb") as sink:
        while chunk := source.read(_CHUNK):
            digest.update(chunk)
            sink.write(chunk)
        sink.flush()
        os.fsync(sink.fileno())
    target.unlink()


def send_form(service: Service, file: Path) -> None:
    """Send it as the part of a form."""
    disposition = 'Content-Disposition: form-data; name="file"; filename="large.zip"'
    head = f"--{_BOUNDARY}\r\n{disposition}\r\n\r\n".encode()
    tail = f"\r\n--{_BOUNDARY}--\r\n".encode()
    headers = {
        "Content-Type": f"multipart/form-data; boundary={_BOUNDARY}",
        "Content-Length": str(len(head) + file.stat().st_size + len(tail)),
    }
    _request(service, "POST", "/v1/datasets", headers, _framed(head, file, tail), 202)


def _framed(head: bytes, file: Path, tail: bytes) -> Iterator[bytes]:
    yield head
    with file.open("rb") as source:
        while chunk := source.read(_CHUNK):
            yield chunk
    yield tail


def send_stream(service: Service, file: Path) -> None:
    """Send it in one request of tus, as its clients do by default."""
    num_bytes = str(file.stat().st_size)
    url = _request(service, "POST", "/v1/uploads", {"Upload-Length": num_bytes}, [], 201)
    headers = {
        "Upload-Offset": "0",
        "Content-Type": "application/offset+octet-stream",
        "Content-Length": num_bytes,
    }
    _request(service, "PATCH", url, headers, _framed(b"", file, b""), 204)
    reply = service.http.post("/v1/datasets", json={"upload_id": url.rpartition("/")[2]})
    reply.raise_for_status()


def send_pieces(service: Service, file: Path) -> None:
    """Send it as our own client does."""
    key = str(service.http.headers["authorization"]).removeprefix("Bearer ")
    with Client(service.url, key) as client:
        client.upload_dataset(file)


def _request(
    service: Service, method: str, path: str, headers: dict[str, str], body: Any, expected: int
) -> str:
    """Send a request without a library's own copying; return the `Location` of its answer."""
    connection = HTTPConnection("127.0.0.1", int(service.url.rpartition(":")[2]), timeout=600)
    key = str(service.http.headers["authorization"])
    own = {"Authorization": key, "Tus-Resumable": "1.0.0", "Content-Length": "0"}
    connection.request(method, path, body=body, headers=own | headers)
    reply = connection.getresponse()
    answer = reply.read()
    connection.close()
    if reply.status != expected:
        raise RuntimeError(f"{method} {path}: {reply.status} {answer[:500]!r}")
    location = reply.headers.get("Location", "")
    return location.removeprefix(service.url)


if __name__ == "__main__":
    main()
