"""Keys in the system's keyring: the login keychain of macOS, the Secret Service of Linux, the Credential Locker of
Windows. By the library `keyring`, which is an extra.
"""

from __future__ import annotations

from typing import Any

from qwebhook.model.errors import NotAuthorised, NotFound, Unavailable

SERVICE = "qwebhook"


def stored_key(entry: str, advice: str) -> str:
    """The key under that name. advice: how to bring it there. Raises NotAuthorised if there is none, Unavailable."""
    keyring = _library()
    try:
        key: str | None = keyring.get_password(SERVICE, entry)
    except keyring.errors.KeyringError as error:
        raise _unusable(error) from None
    if not key:
        raise NotAuthorised(f"the system keyring has no key {entry!r} of {SERVICE}", advice)
    return key


def store_key(entry: str, key: str) -> None:
    """Put a key under that name, in place of one that is there. Raises Unavailable."""
    keyring = _library()
    try:
        keyring.set_password(SERVICE, entry, key)
    except keyring.errors.KeyringError as error:
        raise _unusable(error) from None


def delete_key(entry: str) -> None:
    """Delete the key under that name. Raises NotFound if there is none, Unavailable."""
    keyring = _library()
    try:
        keyring.delete_password(SERVICE, entry)
    except keyring.errors.PasswordDeleteError:
        raise NotFound(f"the system keyring has no key {entry!r} of {SERVICE}") from None
    except keyring.errors.KeyringError as error:
        raise _unusable(error) from None


def _library() -> Any:
    """Raises Unavailable where it is not installed."""
    try:
        import keyring
        import keyring.errors
    except ImportError:
        raise Unavailable(
            "the system keyring needs a library that is not installed", "run: pip install 'qwebhook[keyring]'"
        ) from None
    return keyring


def _unusable(error: Exception) -> Unavailable:
    # Only the first line: some backends write advice of several for whoever installs them.
    words = (str(error).splitlines() or [""])[0].rstrip(".")
    return Unavailable(
        f"the system keyring cannot be used: {words or type(error).__name__}", "unlock it, or keep the key elsewhere"
    )
