import threading

from app.core.background import BackgroundLoop


def test_a_loop_goes_on_and_counts_whatever_goes_wrong() -> None:
    stopping = threading.Event()
    seen: list[Exception] = []
    troubles = [UnicodeError("a..b"), OSError("no disk"), RuntimeError("a bug"), None]

    def step() -> None:
        trouble = troubles.pop(0)
        if trouble is None:
            stopping.set()
            return
        seen.append(trouble)
        raise trouble

    loop = BackgroundLoop("test", step, seconds=0.001)
    loop.start(stopping).join(30)
    assert [type(trouble) for trouble in seen] == [UnicodeError, OSError, RuntimeError]
    assert (loop.num_failures, troubles) == (3, [])
