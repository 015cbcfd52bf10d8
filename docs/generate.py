"""Write what is made from the code: the OpenAPI document, the page of problems, the client.

python -m docs.generate        (or: make api-docs)
"""

import json
import tempfile
from collections import defaultdict
from inspect import cleandoc
from pathlib import Path
from typing import Any

from app.core.settings import Settings
from app.http.openapi import operations
from app.http.problems import CODES, TYPE_PREFIX, error_types
from app.jobs.schemas import OPTION_CODES
from app.main import create_app
from tools import generate_client

FOLDER = Path(__file__).resolve().parent
SCHEMA = FOLDER / "api" / "openapi.json"
PROBLEMS = FOLDER / "guide" / "problems.md"

_HEAD = f"""# Problems

<!-- Made from the code by `make api-docs`. -->

Every error is answered as `application/problem+json` (RFC 9457):

```json
{{
  "type": "{TYPE_PREFIX}not_found",
  "title": "Not found",
  "status": 404,
  "detail": "There is no job with this id.",
  "code": "not_found",
  "request_id": "5f0c2a9d1b7e4c33"
}}
```

`code` is stable: programs decide by it. `detail` says what to do in this case, to a person.
`errors` lists the fields of an input that were not accepted. `request_id` is the reply's
`X-Request-ID`: the service's log has it too. `Retry-After` says in how many seconds the same
request may succeed.

A request that failed has changed nothing.
"""


def main() -> None:
    """Renew all files."""
    SCHEMA.parent.mkdir(exist_ok=True)
    SCHEMA.write_text(openapi_text())
    PROBLEMS.write_text(problems_text())
    generate_client.main()


def openapi_text() -> str:
    """Return the OpenAPI document as it is committed, without the version of the release."""
    document = _document()
    document["info"]["version"] = "v1"
    return json.dumps(document, indent=1, sort_keys=True, ensure_ascii=False) + "\n"


def problems_text() -> str:
    """Return the page that explains every code."""
    where = _where(_document())
    parts = [_HEAD]
    status = 0
    for error in error_types():
        if error.status != status:
            status = error.status
            parts.append(f"## {status}\n")
        parts.append(f"### {error.code}\n")
        parts.append(f"**{error.title}.** {cleandoc(error.__doc__ or '')}\n")
        if routes := where[error.code]:
            parts.append(f"{_listed(routes)}\n")
    parts.append("## Codes of options\n")
    codes = ", ".join(f"`{code}`" for code in sorted(OPTION_CODES))
    parts.append(f"An option of a job that is not accepted (422) has a code of its own: {codes}.\n")
    return "\n".join(parts)


def _listed(routes: list[str]) -> str:
    if len(routes) > 8:
        return f"Answered by {len(routes)} routes."
    return "Answered by " + ", ".join(f"`{route}`" for route in routes) + "."


def _where(document: dict[str, Any]) -> dict[str, list[str]]:
    where: dict[str, list[str]] = defaultdict(list)
    for path, method, operation in operations(document):
        for response in operation["responses"].values():
            for code in response.get(CODES, ()):
                where[code].append(f"{method.upper()} {path}")
    return where


def _document() -> dict[str, Any]:
    with tempfile.TemporaryDirectory() as folder:
        return create_app(Settings(data_dir=Path(folder))).openapi()


if __name__ == "__main__":
    main()
