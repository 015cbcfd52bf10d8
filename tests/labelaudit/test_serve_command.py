import socket
from contextlib import ExitStack
from pathlib import Path

import pytest

from labelaudit.errors import InputError
from labelaudit.serve import only_one_serve
from tests.labelaudit.program import run_program


def test_a_taken_port_is_told(tmp_path: Path) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        done = run_program("serve", "--port", port, folder=tmp_path)
    assert done.returncode == 2
    assert f"cannot listen on 127.0.0.1 port {port}" in done.stderr


def test_a_service_without_keys_stays_on_this_machine(tmp_path: Path) -> None:
    done = run_program("serve", "--host", "0.0.0.0", folder=tmp_path, LABELAUDIT_AUTH="off")  # noqa: S104 - that is the point
    assert done.returncode == 2
    assert "(auth_needed)" in done.stderr
    assert not list(tmp_path.iterdir())


def test_one_folder_serves_once(tmp_path: Path) -> None:
    with ExitStack() as first, ExitStack() as second:
        lock = first.enter_context(only_one_serve(tmp_path))
        lock.write_text("http://127.0.0.1:1\n")
        with pytest.raises(InputError, match=r"at http://127\.0\.0\.1:1 uses"):
            second.enter_context(only_one_serve(tmp_path))
    assert lock.read_text() == ""
    with only_one_serve(tmp_path):
        pass  # it is free again
