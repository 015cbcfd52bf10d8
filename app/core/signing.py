"""Ed25519 signatures of this service: who has its public key can tell its files from others."""

import hashlib

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

ALGORITHM = "Ed25519"
NUM_SEED_BYTES = 32
_NUM_KEY_ID = 16


class SigningKey:
    """A private key; of its public half all is shown."""

    def __init__(self, seed: bytes) -> None:
        """Make the key of a secret seed of 32 random bytes.

        Raises:
            ValueError: It has another length.
        """
        if len(seed) != NUM_SEED_BYTES:
            raise ValueError(f"a signing key has {NUM_SEED_BYTES} bytes, not {len(seed)}")
        self._key = Ed25519PrivateKey.from_private_bytes(seed)
        self.public = self._key.public_key().public_bytes_raw()

    @property
    def key_id(self) -> str:
        """Name of the key: the beginning of the SHA-256 of its public half."""
        return hashlib.sha256(self.public).hexdigest()[:_NUM_KEY_ID]

    def sign(self, data: bytes) -> bytes:
        """Return the signature, 64 bytes; the same for the same data."""
        return self._key.sign(data)


def as_pem(public: bytes) -> str:
    """Write a public key as `openssl` reads it."""
    key = Ed25519PublicKey.from_public_bytes(public)
    return key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()
