"""The real program, run as a user runs it."""

import os
import subprocess
import sys
from pathlib import Path

from tests.support.processes import run_to_end

COMMAND = (sys.executable, "-P", "-m", "labelaudit")


def environment(**variables: str) -> dict[str, str]:
    """Return this environment without settings of the service, but with these."""
    clean = {name: value for name, value in os.environ.items() if "LABELAUDIT" not in name}
    return clean | variables


def run_program(
    *arguments: object, folder: Path, **variables: str
) -> "subprocess.CompletedProcess[str]":
    """Run one command to its end in `folder`."""
    command = (*COMMAND, *arguments)
    return run_to_end(command, cwd=folder, env=environment(**variables))
