"""The store's key, and what is encrypted with it: secrets and encrypted headers.

The key lies beside the store in a file that only its owner can read, or in `QWEBHOOK_KEY`. The store holds the key's
fingerprint, so that a missing or another key is refused rather than made anew: with a new one, everything sealed
under the old one would be lost without a word.
"""

from __future__ import annotations

import hashlib
import os
from base64 import b64decode, b64encode
from pathlib import Path

from qwebhook.model.errors import StoreKeyProblem

KEY_VARIABLE = "QWEBHOOK_KEY"
KEY_BYTES = 32
_NONCE_BYTES = 12


def key_path(store: Path) -> Path:
    """Where the key of a store file lies: beside the file itself, whatever links lead to it."""
    file = store.resolve()
    return file.with_name(file.name + ".key")


def read_key(store: Path) -> bytes | None:
    """The key of a store: from the environment, else from its file; None if there is neither.

    Raises StoreKeyProblem for one that cannot be read or is no key.
    """
    from_environment = os.environ.get(KEY_VARIABLE)
    if from_environment:
        return _decoded(from_environment, KEY_VARIABLE)
    path = key_path(store)
    try:
        text = path.read_text(encoding="ascii")
    except FileNotFoundError:
        return None
    except (OSError, UnicodeDecodeError) as error:
        raise StoreKeyProblem(f"the key file {path} cannot be read: {error}") from None
    return _decoded(text, str(path))


def make_key(store: Path) -> bytes:
    """A new key in a new file beside the store. Raises StoreKeyProblem if it cannot be written."""
    key = os.urandom(KEY_BYTES)
    path = key_path(store)
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(b64encode(key) + b"\n")
            file.flush()
            os.fsync(descriptor)
    except OSError as error:
        raise StoreKeyProblem(f"the key file {path} cannot be made: {error.strerror}") from None
    return key


def fingerprint(key: bytes) -> str:
    """What the store keeps of its key: it tells keys apart and says nothing of them."""
    return hashlib.sha256(b"qwebhook key fingerprint\0" + key).hexdigest()[:32]


def check_key(store: Path, key: bytes | None, expected: str) -> bytes:
    """The key, if it is the store's. Raises StoreKeyProblem."""
    if key is None:
        raise StoreKeyProblem(
            f"the key of {store} is missing: there is no {key_path(store)}",
            f"restore that file from a backup, or put the key into {KEY_VARIABLE}",
        )
    if fingerprint(key) != expected:
        place = KEY_VARIABLE if os.environ.get(KEY_VARIABLE) else str(key_path(store))
        raise StoreKeyProblem(f"the key in {place} is not that of {store}", "restore the store's own key")
    return key


def _decoded(text: str, place: str) -> bytes:
    try:
        key = b64decode(text.strip(), validate=True)
    except ValueError:
        key = b""
    if len(key) != KEY_BYTES:
        raise StoreKeyProblem(f"{place} holds no key", f"a key is the base64 of {KEY_BYTES} bytes")
    return key


class Vault:
    """Seals and opens under one key: AES-256-GCM with a random nonce, bound to what it belongs to."""

    def __init__(self, key: bytes) -> None:
        self._key = key

    def seal(self, plain: bytes, context: str) -> bytes:
        """nonce, ciphertext and tag. context: names the row and column, so that blobs cannot be exchanged."""
        from cryptography.hazmat.primitives.ciphers.aead import AESGCM

        nonce = os.urandom(_NONCE_BYTES)
        return nonce + AESGCM(self._key).encrypt(nonce, plain, context.encode())

    def open(self, sealed: bytes, context: str) -> bytes:
        """What was sealed under the context. Raises StoreKeyProblem if it was changed or is another's."""
        from cryptography.exceptions import InvalidTag
        from cryptography.hazmat.primitives.ciphers.aead import AESGCM

        nonce, ciphertext = sealed[:_NONCE_BYTES], sealed[_NONCE_BYTES:]
        try:
            return AESGCM(self._key).decrypt(nonce, ciphertext, context.encode())
        except (InvalidTag, ValueError):  # ValueError: too short to hold a nonce
            raise StoreKeyProblem(f"what is sealed for {context} was damaged or exchanged") from None
