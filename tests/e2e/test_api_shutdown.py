"""SIGTERM to the API: requests under way are answered, new ones refused."""

import signal
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import httpx2
import pytest

from tests.support.archives import write_tiny_zip
from tests.support.stack import Stack, running_stack
from tests.support.waiting import wait_for

_BOUNDARY = "boundary"


@pytest.fixture
def stack(tmp_path: Path) -> Iterator[Stack]:
    with running_stack(tmp_path, "api") as running:
        yield running


def _slow_form(
    archive: Path, halfway: threading.Event, goes_on: threading.Event
) -> Iterator[bytes]:
    head = f'--{_BOUNDARY}\r\nContent-Disposition: form-data; name="file"; filename="a.zip"\r\n\r\n'
    content = archive.read_bytes()
    yield head.encode() + content[:1000]
    halfway.set()
    goes_on.wait(20)
    yield content[1000:] + f"\r\n--{_BOUNDARY}--\r\n".encode()


def test_an_upload_under_way_is_finished(stack: Stack, tmp_path: Path) -> None:
    client = stack.new_client()
    archive = tmp_path / "colours.zip"
    write_tiny_zip(archive)
    halfway, goes_on = threading.Event(), threading.Event()
    replies: list[httpx2.Response] = []

    def upload() -> None:
        headers = {"Content-Type": f"multipart/form-data; boundary={_BOUNDARY}"}
        body = _slow_form(archive, halfway, goes_on)
        replies.append(client.http.post("/v1/datasets", content=body, headers=headers))

    uploading = threading.Thread(target=upload)
    uploading.start()
    assert halfway.wait(10)
    asked = time.monotonic()
    stack.processes["api"].send_signal(signal.SIGTERM)
    wait_for(lambda: _refuses(stack.url), seconds=10, what="new requests are refused")
    goes_on.set()
    uploading.join(20)
    assert [reply.status_code for reply in replies] == [202]
    assert stack.processes["api"].wait(30) == 0
    assert time.monotonic() - asked < 30


def _refuses(url: str) -> bool:
    try:
        httpx2.get(f"{url}/healthz", timeout=2)
    except httpx2.TransportError:
        return True
    return False
