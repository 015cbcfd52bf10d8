"""Settings for the commands that run beside the service's own data."""
# ruff: noqa: PLC0415 - the service's code loads only for the commands that need it

from typing import TYPE_CHECKING, Any

from labelaudit.errors import InputError

if TYPE_CHECKING:
    from app.core.settings import Settings


def load_settings(**overrides: Any) -> "Settings":
    """Return the settings of the environment; values that are not None win over it."""
    from pydantic import ValidationError

    from app.core.settings import Settings

    given = {name: value for name, value in overrides.items() if value is not None}
    try:
        return Settings(**given)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        name = "_".join(map(str, first["loc"])).upper()
        detail = f"LABELAUDIT_{name}: {first['msg']}"
        raise InputError(detail, code="invalid_settings") from error
