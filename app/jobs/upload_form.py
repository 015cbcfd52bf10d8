"""The forms of uploads: one file, and what to do with it."""

from collections.abc import Mapping
from pathlib import PurePosixPath, PureWindowsPath
from typing import ClassVar, NoReturn

from fastapi.exceptions import RequestValidationError
from pydantic import TypeAdapter, ValidationError
from typing_extensions import override

from app.datasets.incoming import IncomingFile, StoredUpload
from app.datasets.schemas import MissingFileError, TableColumns
from app.http.bodies import PartHead
from app.jobs.schemas import NO_AUDIT, JobOptions

_MAX_FIELD_BYTES = 64 * 1024
_MAX_NAME = 200
_MAX_FILE_NAME = 255
_FILE, _NAME, _AUDIT, _COLUMNS = "file", "name", "audit", "columns"
_JSON_OBJECT: TypeAdapter[dict[str, object]] = TypeAdapter(dict[str, object])


class FileForm:
    """A file and a name: takes the parts in any order and refuses what it can at once."""

    fields: ClassVar[frozenset[str]] = frozenset({_FILE, _NAME})

    def __init__(self, file: IncomingFile) -> None:
        """Put the file's bytes into `file`."""
        self.file = file
        self.name: str | None = None
        self.upload: StoredUpload | None = None
        self._seen: set[str] = set()
        self._part = ""
        self._file_name = ""
        self._text = bytearray()

    def begin(self, head: PartHead) -> None:
        """Get ready for a part."""
        if head.name not in self.fields:
            _refuse("extra_forbidden", head.name, "There is no such field.")
        if head.name in self._seen:
            _refuse("duplicate_field", head.name, "Send this field once.")
        self._seen.add(head.name)
        self._part = head.name
        self._text.clear()
        if head.name == _FILE:
            self._file_name = clean_file_name(head.filename)

    def write(self, chunk: memoryview) -> None:
        """Take some of a part's bytes."""
        if self._part == _FILE:
            self.file.write(chunk)
            return
        if len(self._text) + len(chunk) > _MAX_FIELD_BYTES:
            _refuse("too_long", self._part, f"A field may have {_MAX_FIELD_BYTES} bytes.")
        self._text += chunk

    def end(self) -> None:
        """Know that a part is whole."""
        if self._part == _FILE:
            self.upload = self.file.finish(self._file_name)
        else:
            self.take_text(self._part, self._decoded())

    def take_text(self, field: str, text: str) -> None:
        """Read a field that is not the file."""
        if field == _NAME:
            self.name = read_name(text)

    def require_upload(self) -> StoredUpload:
        """Return the file, once the form is whole.

        Raises:
            MissingFileError: There was none.
        """
        if self.upload is None:
            raise MissingFileError("The form has no part named `file`.")
        return self.upload

    def wanted(self) -> dict[str, object]:
        """Return what is to be done with the file: two forms that mean the same are equal."""
        return {"name": self.name}

    def _decoded(self) -> str:
        try:
            return self._text.decode()
        except UnicodeDecodeError:
            _refuse("string_unicode", self._part, "The field is not UTF-8.")


class UploadForm(FileForm):
    """A data set, with the options of its audit."""

    fields: ClassVar[frozenset[str]] = FileForm.fields | {_AUDIT, _COLUMNS}

    def __init__(self, file: IncomingFile) -> None:
        """Audit with the default options, unless told otherwise."""
        super().__init__(file)
        self.options: JobOptions | None = JobOptions()
        self.columns = TableColumns()

    @override
    def take_text(self, field: str, text: str) -> None:
        if field == _AUDIT:
            self.options = _read_options(text)
        elif field == _COLUMNS:
            self.columns = _read_columns(text)
        else:
            super().take_text(field, text)

    @override
    def wanted(self) -> dict[str, object]:
        options = None if self.options is None else self.options.model_dump(mode="json")
        return {
            "name": self.name,
            "audit": options,
            "columns": self.columns.model_dump(mode="json"),
        }


def clean_file_name(given: str | None) -> str:
    """Keep the last part of a name, without control characters; it is shown, never opened."""
    last = PurePosixPath(PureWindowsPath(given or "").name).name
    return "".join(char for char in last if char.isprintable())[:_MAX_FILE_NAME] or "upload"


def read_name(text: str) -> str | None:
    """Read the name of a data set; none where it is empty.

    Raises:
        RequestValidationError: It is too long, or cannot be shown.
    """
    name = text.strip()
    if len(name) > _MAX_NAME:
        _refuse("string_too_long", _NAME, f"A name may have {_MAX_NAME} characters.")
    if not name.isprintable():
        _refuse("string_pattern_mismatch", _NAME, "A name may hold no control characters.")
    return name or None


def _read_options(text: str) -> JobOptions | None:
    if text.strip() == NO_AUDIT:
        return None
    try:
        value = _JSON_OBJECT.validate_json(text)
    except ValidationError:
        _refuse("invalid_audit_options", _AUDIT, "Send a JSON object of job options, or `none`.")
    return options_of(value)


def _read_columns(text: str) -> TableColumns:
    try:
        return TableColumns.model_validate_json(text)
    except ValidationError as error:
        raise RequestValidationError(
            [{**item, "loc": ("body", _COLUMNS, *item["loc"])} for item in error.errors()]
        ) from error


def options_of(value: Mapping[str, object]) -> JobOptions:
    """Read job options that stand in the member `audit`.

    Raises:
        RequestValidationError: One is unknown or has no acceptable value.
    """
    try:
        return JobOptions.model_validate(value)
    except ValidationError as error:
        raise RequestValidationError(
            [{**item, "loc": ("body", _AUDIT, *item["loc"])} for item in error.errors()]
        ) from error


def _refuse(code: str, field: str, message: str) -> NoReturn:
    raise RequestValidationError([{"type": code, "loc": ("body", field), "msg": message}])
