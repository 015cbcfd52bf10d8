import time

from app.core.queue import WakeUps, make_celery
from app.core.settings import Settings
from tests.support.ports import free_port


def _seconds_to_wake(wake_ups: WakeUps) -> float:
    before = time.monotonic()
    wake_ups.wake("gpu")
    return time.monotonic() - before


class TestWakeUps:
    def test_do_not_hold_up_every_request_while_the_broker_is_dead(self) -> None:
        url = f"redis://127.0.0.1:{free_port()}/0"
        wake_ups = WakeUps(make_celery(Settings.model_validate({"redis_url": url})))
        assert _seconds_to_wake(wake_ups) < 10
        assert max(_seconds_to_wake(wake_ups) for _ in range(20)) < 0.1
