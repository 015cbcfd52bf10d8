"""Lists of hashes with their signatures, and the keys to verify them with."""

from app.core.db import Database
from app.core.ids import not_found
from app.core.schemas import Page
from app.core.signing import SigningKey, as_pem
from app.findings.repository import KeyRepository
from app.findings.schemas import SigningKeyRead
from app.findings.service import FindingService

SUMS_NAME = "SHA256SUMS"


class SigningService:
    """Signs with this process's key, whose public half is published before the first signature."""

    def __init__(self, database: Database, key: SigningKey) -> None:
        """Sign with `key`."""
        self._database = database
        self._key = key

    @property
    def key_id(self) -> str:
        """Which key signs."""
        return self._key.key_id

    def sums(self, findings: FindingService, job_id: str) -> bytes:
        """Return the hashes of a job's files as `sha256sum -c` reads them.

        The first line, a comment there, binds the list to its job and names the key.

        Raises:
            NotFoundError: The tenant has no such job, or it made no files.
            NotFinishedError: It has not succeeded.
        """
        job, files = findings.finished_files(job_id)
        head = f"# Label Audit job {job.id}, signed with {self.key_id}\n"
        lines = [f"{file.sha256}  {file.name}\n" for file in files]
        return (head + "".join(sorted(lines, key=lambda line: line[66:]))).encode()

    def sign(self, data: bytes) -> bytes:
        """Return the signature."""
        self._publish()
        return self._key.sign(data)

    def keys(self) -> Page[SigningKeyRead]:
        """List the public keys, newest first."""
        self._publish()
        with self._database.read() as session:
            rows = KeyRepository(session).newest()
        items = [SigningKeyRead.of(row, current=row.key_id == self.key_id) for row in rows]
        return Page(items=items, next_cursor=None)

    def pem(self, key_id: str) -> str:
        """Return one public key as `openssl` reads it.

        Raises:
            NotFoundError: No such key has ever signed here.
        """
        self._publish()
        with self._database.read() as session:
            row = KeyRepository(session).get(key_id)
        if row is None:
            raise not_found("key")
        return as_pem(bytes.fromhex(row.public_key))

    def _publish(self) -> None:
        with self._database.read() as session:
            is_known = KeyRepository(session).get(self.key_id) is not None
        if not is_known:
            with self._database.unit_of_work() as session:
                KeyRepository(session).add(self._key)
