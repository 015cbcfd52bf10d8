"""The one settings object, read at the edge and passed down."""

import re
from pathlib import Path
from typing import Literal
from urllib.parse import unquote, urlsplit

from pydantic import Field, SecretStr, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

_QUOTAS_FOR_OTHERS = {"queued_jobs": 1_000, "requests_per_minute": 1_200}
"""Where others than this machine can call, nobody may take everything by accident."""
LOOPBACK_HOSTS = frozenset({"127.0.0.1", "localhost", "::1"})


class Settings(BaseSettings):
    """Every value can be set as `LABELAUDIT_<NAME>`."""

    model_config = SettingsConfigDict(env_prefix="LABELAUDIT_", frozen=True, extra="ignore")

    data_dir: Path = Path("labelaudit-data")
    """Folder of everything that is kept: database, blobs, caches, the embedded broker."""
    s3_endpoint: str | None = None
    """URL of an S3-compatible service other than that of AWS."""
    signed_url_seconds: int | None = Field(None, gt=0)
    """Where set, downloads of results are redirected to the store, for so long."""
    store_patience_seconds: float = Field(300.0, gt=0)
    """How long a worker waits for a store that does not answer, until its job fails with
    `store_unavailable`; the API answers 503 after a few seconds."""
    database_url: SecretStr | None = None
    """`sqlite:///…` or `postgresql://…`; by default SQLite in the data folder."""
    store_url: str | None = None
    """Where images and results lie, if not in the data folder: `file:///…`, which every process
    must see, or `s3://bucket/prefix` with credentials and region in the usual `AWS_…` variables."""
    redis_url: SecretStr | None = None
    """Broker. Without it Celery's filesystem transport in the data folder is used."""
    secret: SecretStr | None = None
    """Pepper of the key hashes; by default a file that is made on first start."""

    signing_key: SecretStr | None = None
    """Seed of the key that signs the hashes of results, 64 hexadecimal digits; by default a file
    that is made on first start."""

    host: str = "127.0.0.1"
    port: int = Field(8000, ge=0, le=65535)
    auth: Literal["on", "off"] = "on"
    """`off` is accepted on a loopback host only."""
    log_format: Literal["text", "json"] = "text"
    log_level: Literal["debug", "info", "warning", "error"] = "info"

    gpus: str | None = None
    """Devices of this machine's training worker, such as `0,1`; by default all that it has."""

    webhook_targets: Literal["public", "any"] = "public"
    """`any` also sends to private addresses and without TLS: for receivers in your own network."""

    recalibrate_every: int = Field(30, ge=0)
    """After so many decisions on an audit its probabilities learn from them; 0 is never."""

    max_attempts: int = Field(3, ge=1)
    """A job whose trainer was lost this often fails with `worker_lost`."""
    lease_seconds: float = Field(60.0, gt=0)
    heartbeat_seconds: float = Field(10.0, gt=0)
    sweep_seconds: float = Field(2.0, gt=0)
    """Pause of the sweeper and first interval of its wake-ups."""
    resend_max_seconds: float = Field(60.0, gt=0)
    """Longest interval between two wake-ups of one queue."""

    max_upload_bytes: int = Field(100 * 1024**3, gt=0)
    min_free_bytes: int = Field(512 * 1024**2, ge=0)
    """Disk space that an upload never uses up."""
    upload_expires_seconds: float = Field(24 * 3600.0, gt=0)
    """How long a resumable upload waits for its next byte, and then for its data set."""
    max_tenant_bytes: int | None = Field(None, ge=0)
    """Quota: what one tenant may have stored and announced; unlimited by default, as are all
    quotas. A tenant may have others of its own (`PATCH /v1/tenants/{id}`)."""
    max_tenant_samples: int | None = Field(None, ge=0)
    max_tenant_queued_jobs: int | None = Field(None, ge=0)
    """By default unlimited on a loopback host, else 1,000."""
    max_tenant_running_jobs: int | None = Field(None, ge=0)
    """Jobs above it wait, while those of other tenants go on."""
    max_tenant_gpu_minutes: int | None = Field(None, ge=0)
    """In a calendar month, UTC: above it no audit is queued; what runs is not stopped."""
    max_tenant_requests_per_minute: int | None = Field(None, ge=1)
    """A bucket of so many tokens that fills up in a minute; by default unlimited on a loopback
    host, else 1,200."""
    max_tenant_streams: int = Field(100, ge=1)
    """Event streams that one tenant may have open at each API process, on a loopback host too."""
    max_streams: int = Field(1_000, ge=1)
    """The same for all tenants together."""
    max_files: int = Field(2_000_000, gt=0)
    max_file_bytes: int = Field(64 * 1024**2, gt=0)
    """Largest single image file, measured as it is read, not as its header says."""
    max_unpacked_bytes: int = Field(400 * 1024**3, gt=0)
    max_image_pixels: int = Field(50_000_000, gt=0)
    max_predict_files: int = Field(32, gt=0)
    """Images of one request for predictions."""
    max_predict_bytes: int = Field(64 * 1024**2, gt=0)
    """All of them together."""

    @field_validator("store_url")
    @classmethod
    def _names_a_store(cls, url: str | None) -> str | None:
        if url is not None and not re.fullmatch(r"(file:///|s3://)[^?#]+", url):
            raise ValueError(
                "use file:/// and the absolute path of a folder, or s3://bucket/prefix"
            )
        return url

    @property
    def s3_url(self) -> str | None:
        """The S3-compatible store, where there is one."""
        is_s3 = self.store_url is not None and self.store_url.startswith("s3://")
        return self.store_url if is_s3 else None

    @property
    def store_folder(self) -> Path:
        """Folder of the blobs of all tenants, where they are files."""
        if self.store_url is None or self.s3_url is not None:
            return self.data_dir.resolve() / "blobs"
        return Path(unquote(urlsplit(self.store_url).path))

    @property
    def in_server_mode(self) -> bool:
        """Whether any number of processes may serve one database: a broker lets them."""
        return self.redis_url is not None

    @property
    def resolved_database_url(self) -> str:
        """The database to use, with its password: never log this."""
        if self.database_url is not None:
            return self.database_url.get_secret_value()
        return f"sqlite:///{self.data_dir.resolve() / 'labelaudit.db'}"

    @property
    def lacks_database(self) -> bool:
        """Whether the SQLite file of the data folder is yet to be made; connecting would do it."""
        return self.database_url is None and not (self.data_dir / "labelaudit.db").exists()

    @property
    def quotas(self) -> dict[str, int | None]:
        """What a tenant may use where it has no quota of its own, by the names of the quotas."""
        common = {} if self.on_loopback else _QUOTAS_FOR_OTHERS
        names = ("bytes", "samples", "queued_jobs", "running_jobs", "gpu_minutes")
        return {
            name: common.get(name) if (limit := getattr(self, f"max_tenant_{name}")) is None
            else limit
            for name in (*names, "requests_per_minute")
        }  # fmt: skip

    @property
    def on_loopback(self) -> bool:
        """Whether only this machine can reach the service."""
        return self.host in LOOPBACK_HOSTS
