import time
from functools import partial

from celery import Celery
from kombu import Connection
from typing_extensions import override

from app.core.probe import Probe
from app.core.queue import WakeUps, broker_answers, make_celery
from app.core.settings import Settings
from tests.support.ports import free_port
from tests.support.servers import redis_server
from tests.support.waiting import wait_for


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


class _Deaf(Celery):
    """Has no broker, and counts who asks for it."""

    num_asked = 0

    @override
    def connection_for_write(self, *_arguments: object, **_options: object) -> Connection:
        self.num_asked += 1
        raise ConnectionRefusedError


class TestBrokerProbe:
    def test_sees_a_broker_go_and_come_back(self) -> None:
        with redis_server() as server:
            settings = Settings.model_validate({"redis_url": server.url})
            probe = Probe(partial(broker_answers, make_celery(settings)))
            assert probe.answer()
            server.stop()
            wait_for(lambda: not probe.answer(), seconds=20, what="it sees that nobody answers")
            server.start()
            wait_for(probe.answer, seconds=20, what="it sees that the broker is back")

    def test_looks_once_however_many_ask(self) -> None:
        deaf = _Deaf()
        probe = Probe(partial(broker_answers, deaf))
        assert not any(probe.answer() for _ in range(1000))
        assert deaf.num_asked == 1
