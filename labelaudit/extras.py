"""Optional parts of the installation."""

import importlib.util

from labelaudit.errors import InputError


def require_worker() -> None:
    """Raise if PyTorch is not installed."""
    _require("torch")


def require_demo() -> None:
    """Raise if scikit-learn, which has the demo's images, is not installed."""
    _require("sklearn")


def _require(module: str) -> None:
    if importlib.util.find_spec(module) is None:
        raise InputError(
            f"this needs {module}, which is not installed",
            code="missing_extra",
            hint="pip install 'labelaudit[all]'",
        )
