"""Keep the processes of the service running, and end them all."""

import os
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Mapping, MutableMapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from types import FrameType

from labelaudit.terminal import note

_TICK_SECONDS = 0.1
_STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
PARENT_PID_VARIABLE = "LABELAUDIT_PARENT_PID"
_CHECK_SECONDS = 0.5
_GRACE_SECONDS = 30.0


@dataclass(frozen=True, slots=True)
class Program:
    """One process of the service."""

    name: str
    command: Sequence[str]
    pass_fds: Sequence[int] = ()
    """Open files that it inherits."""


@dataclass(frozen=True, slots=True)
class Pace:
    """How fast a process is started again, and how long it may take to end."""

    first_pause: float = 0.5
    longest_pause: float = 10.0
    healthy_after: float = 30.0
    """A process that ran this long has not failed to start."""
    grace: float = 25.0
    """Seconds from SIGTERM to SIGKILL; a worker writes a checkpoint meanwhile."""


class StopRequests:
    """Counts the signals that ask this process to end."""

    def __init__(self) -> None:
        """Replace the handlers that would end the process."""
        self.count = 0
        for number in _STOP_SIGNALS:
            signal.signal(number, self._on_signal)

    def _on_signal(self, _number: int, _frame: FrameType | None) -> None:
        self.count += 1


class Supervisor:
    """Runs programs side by side, and restarts one that ends, after growing pauses."""

    def __init__(
        self,
        programs: Sequence[Program],
        environ: Mapping[str, str],
        stop_requests: StopRequests,
        pace: Pace = Pace(),
    ) -> None:
        """Prepare; `run` starts the programs."""
        self._stop_requests = stop_requests
        self._pace = pace
        self._children = [_Child(program, environ, pace) for program in programs]

    def run(self, on_tick: Callable[[], None]) -> None:
        """Keep all programs running until a stop is requested, then end them."""
        try:
            while self._stop_requests.count == 0:
                for child in self._children:
                    child.keep_running(time.monotonic())
                on_tick()
                time.sleep(_TICK_SECONDS)
        finally:
            self._stop_all()

    def _stop_all(self) -> None:
        """Send SIGTERM; send SIGKILL after the grace or at a second request to stop."""
        for child in self._children:
            child.ask_to_end()
        deadline = time.monotonic() + self._pace.grace
        while any(child.is_running for child in self._children):
            if time.monotonic() > deadline or self._stop_requests.count > 1:
                break
            time.sleep(_TICK_SECONDS)
        for child in self._children:
            child.kill()


class _Child:
    """One program with its process and the time of its next start."""

    def __init__(self, program: Program, environ: Mapping[str, str], pace: Pace) -> None:
        self._program = program
        self._environ = environ
        self._pace = pace
        self._process: subprocess.Popen[bytes] | None = None
        self._started = 0.0
        self._start_at = 0.0
        self._pause = 0.0

    @property
    def is_running(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def keep_running(self, now: float) -> None:
        if self.is_running:
            return
        if self._process is not None:
            self._plan_restart(now, self._process.returncode)
            self._process = None
        if now >= self._start_at:
            self._start(now)

    def ask_to_end(self) -> None:
        if self._process is not None:
            self._process.terminate()  # does nothing once the process was reaped

    def kill(self) -> None:
        if self._process is not None and self.is_running:
            # The child leads a group of its own: what it started goes with it.
            with suppress(ProcessLookupError):
                os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()

    def _start(self, now: float) -> None:
        self._process = subprocess.Popen(
            self._program.command,
            env=self._environ,
            stdin=subprocess.DEVNULL,
            pass_fds=self._program.pass_fds,
            # Ctrl-C in a terminal reaches its whole process group; only the supervisor decides.
            start_new_session=True,
        )
        self._started = now

    def _plan_restart(self, now: float, exit_code: int) -> None:
        if now - self._started >= self._pace.healthy_after or self._pause == 0.0:
            self._pause = self._pace.first_pause
        else:
            self._pause = min(2 * self._pause, self._pace.longest_pause)
        self._start_at = now + self._pause
        note(
            f"{self._program.name} ended with exit code {exit_code}; "
            f"starting it again in {self._pause:g} s"
        )


def follow_parent(environ: MutableMapping[str, str]) -> None:
    """End this process once the parent named in its environment is gone.

    The variable is taken out: the processes that this one starts have another parent.
    """
    expected = environ.pop(PARENT_PID_VARIABLE, "")
    if expected.isdecimal():
        watch = threading.Thread(
            target=_watch, args=(int(expected),), daemon=True, name="parent-watch"
        )
        watch.start()


def _watch(parent: int) -> None:
    while os.getppid() == parent:
        time.sleep(_CHECK_SECONDS)
    os.kill(os.getpid(), signal.SIGTERM)  # first the clean way, as if the parent had asked
    time.sleep(_GRACE_SECONDS)
    os._exit(1)
