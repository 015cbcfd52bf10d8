"""Static files under URLs that change with their content, so that browsers keep them for good."""

import hashlib
from pathlib import Path

from starlette.responses import Response
from starlette.staticfiles import StaticFiles
from starlette.types import Scope
from typing_extensions import override

FOLDER = Path(__file__).parent / "static"
PREFIX = "/static"
_FOR_GOOD = "public, max-age=31536000, immutable"
_ASK_FIRST = "no-cache"


def _hash_all(folder: Path) -> str:
    """Return one version for all files: modules then find each other by relative paths."""
    digest = hashlib.sha256()
    for path in sorted(path for path in folder.rglob("*") if path.is_file()):
        digest.update(path.relative_to(folder).as_posix().encode())
        digest.update(hashlib.sha256(path.read_bytes()).digest())
    return f"v-{digest.hexdigest()[:16]}"


VERSION = _hash_all(FOLDER)


def url_of(path: str) -> str:
    """Return where to load a static file from.

    Raises:
        FileNotFoundError: There is none at this path: a mistake in a template.
    """
    if not (FOLDER / path).is_file():
        raise FileNotFoundError(path)
    return f"{PREFIX}/{VERSION}/{path}"


class Assets(StaticFiles):
    """Serves `PREFIX/VERSION/path` for good and `PREFIX/path` only after a look."""

    def __init__(self) -> None:
        """Serve the packaged files."""
        super().__init__(directory=FOLDER)

    @override
    async def get_response(self, path: str, scope: Scope) -> Response:
        version, _, rest = path.partition("/")
        is_versioned = version.startswith("v-")
        response = await super().get_response(rest if is_versioned else path, scope)
        # A page of another release may ask for its own version: give what there is, once.
        response.headers["Cache-Control"] = _FOR_GOOD if version == VERSION else _ASK_FIRST
        return response
