import base64
import hashlib
from dataclasses import replace
from pathlib import Path

import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import load_pem_public_key
from fastapi import FastAPI
from starlette.testclient import TestClient

from app.core.signing import SigningKey
from app.core.storage import BlobStore
from app.http.context import AppContext
from app.models import Job, JobState, Tenant
from tests.support.engines import on_sqlite
from tests.support.factories import make_artifact, publish_findings
from tests.support.rows import make_dataset, make_job

KEYS = "/.well-known/labelaudit/signing-keys"
FILES = {"model.safetensors": b"weights", "card.json": b'{"classes": []}', "report.json": b"{}"}


@pytest.fixture
def job(context: AppContext, tenant: Tenant) -> Job:
    """A succeeded audit that left three files."""
    blobs = BlobStore(context.folder.blobs(tenant.id))
    with context.database.unit_of_work() as session:
        job = make_job(session, make_dataset(session, tenant.id))
        publish_findings(session, job, [])
        for name, content in FILES.items():
            kind = "safetensors" if name.startswith("model") else name.removesuffix(".json")
            blobs.put(content)
            make_artifact(session, job, kind, content)
    return job


@pytest.fixture
def path(job: Job) -> str:
    return f"/v1/jobs/{job.id}/artifacts"


def key_of(client: TestClient, key_id: str) -> Ed25519PublicKey:
    [key] = [item for item in client.get(KEYS).json()["items"] if item["key_id"] == key_id]
    return Ed25519PublicKey.from_public_bytes(base64.b64decode(key["public_key"]))


class TestSums:
    def test_list_every_file_under_the_name_it_is_downloaded_by(
        self, client: TestClient, job: Job, path: str
    ) -> None:
        head, *lines = client.get(f"{path}/SHA256SUMS").text.splitlines()
        assert head.startswith(f"# Label Audit job {job.id}, signed with ")
        assert [line.split("  ")[1] for line in lines] == sorted(FILES)
        for line in lines:
            sha256, name = line.split("  ")
            content = client.get(f"{path}/{name}").content
            assert content == FILES[name]
            assert hashlib.sha256(content).hexdigest() == sha256

    def test_are_signed(self, client: TestClient, path: str) -> None:
        sums, signature = client.get(f"{path}/SHA256SUMS"), client.get(f"{path}/SHA256SUMS.sig")
        key_id = sums.headers["x-signing-key-id"]
        assert signature.headers["x-signing-key-id"] == key_id
        assert sums.text.splitlines()[0].endswith(f"signed with {key_id}")
        key = key_of(client, key_id)
        key.verify(signature.content, sums.content)
        for position in (0, 70, len(sums.content) - 2):
            changed = bytearray(sums.content)
            changed[position] ^= 1
            with pytest.raises(InvalidSignature):
                key.verify(signature.content, bytes(changed))

    @pytest.mark.parametrize("name", ["SHA256SUMS", "SHA256SUMS.sig", "report.json"])
    def test_are_those_of_finished_jobs(
        self, client: TestClient, context: AppContext, job: Job, path: str, name: str
    ) -> None:
        with context.database.unit_of_work() as session:
            session.get_one(Job, job.id).state = JobState.RUNNING
        reply = client.get(f"{path}/{name}")
        assert (reply.status_code, reply.json()["code"]) == (409, "not_finished")

    @on_sqlite
    def test_no_file_has_another_name(self, client: TestClient, path: str) -> None:
        for name in ("nothing.json", "..%2f..%2fsecret", "SHA256SUMS.asc"):
            assert client.get(f"{path}/{name}").status_code == 404

    @on_sqlite
    def test_are_nobody_elses(self, stranger: TestClient, path: str) -> None:
        for name in ("SHA256SUMS", "SHA256SUMS.sig", "model.safetensors"):
            assert stranger.get(f"{path}/{name}").status_code == 404


class TestKeys:
    def test_are_public(self, anonymous: TestClient, context: AppContext) -> None:
        [key] = anonymous.get(KEYS).json()["items"]
        assert (key["key_id"], key["algorithm"]) == (context.signing_key.key_id, "Ed25519")
        assert key["current"] is True
        pem = anonymous.get(f"{KEYS}/{key['key_id']}.pem")
        assert pem.text == key["pem"]
        loaded = load_pem_public_key(pem.content)
        assert isinstance(loaded, Ed25519PublicKey)
        assert loaded.public_bytes_raw() == base64.b64decode(key["public_key"])
        assert anonymous.get(f"{KEYS}/0123456789abcdef.pem").status_code == 404

    def test_of_before_a_change_still_verify(
        self, app: FastAPI, client: TestClient, context: AppContext, path: str
    ) -> None:
        old_sums = client.get(f"{path}/SHA256SUMS").content
        old_signature = client.get(f"{path}/SHA256SUMS.sig").content
        app.state.context = replace(context, signing_key=SigningKey(bytes(range(32))))
        new_sums = client.get(f"{path}/SHA256SUMS")
        new_signature = client.get(f"{path}/SHA256SUMS.sig").content
        keys = client.get(KEYS).json()["items"]
        assert sorted(key["current"] for key in keys) == [False, True]
        old_id, new_id = context.signing_key.key_id, new_sums.headers["x-signing-key-id"]
        key_of(client, old_id).verify(old_signature, old_sums)
        key_of(client, new_id).verify(new_signature, new_sums.content)
        with pytest.raises(InvalidSignature):
            key_of(client, new_id).verify(old_signature, old_sums)


@on_sqlite
def test_the_private_key_is_never_served(
    client: TestClient, context: AppContext, path: str
) -> None:
    file = Path(context.settings.data_dir, "signing-key")
    seed = file.read_text()
    assert (file.stat().st_mode & 0o777, len(seed)) == (0o600, 64)
    assert SigningKey(bytes.fromhex(seed)).key_id == context.signing_key.key_id
    for url in (KEYS, f"{path}/SHA256SUMS", f"{path}/signing-key", "/openapi.json"):
        assert seed not in client.get(url).text
