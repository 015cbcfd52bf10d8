"""Optional parts of the installation."""

import importlib.util

from labelaudit.errors import InputError


def require_worker() -> None:
    """Make sure that this machine can train."""
    _require("torch")


def require_demo() -> None:
    """Make sure that the demo's images are here."""
    _require("sklearn")


def _require(module: str) -> None:
    if importlib.util.find_spec(module) is None:
        raise InputError(
            f"this needs {module}, which is not installed",
            code="missing_extra",
            hint="pip install 'labelaudit[all]'",
        )
