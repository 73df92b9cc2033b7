"""The two signature schemes, made and checked.

`Qlik-Signature` is the hex HMAC-SHA256 of the raw body; its key is the UTF-8 of the whole secret string
(Qlik Cloud's webhook documentation). `webhook-signature` is `v1,` and the base64 HMAC-SHA256 of
`id.timestamp.body`; its key is the decoded remainder of a `whsec_…` secret, otherwise the secret's UTF-8
(Standard Webhooks 1.0, "Signature scheme").
"""

from __future__ import annotations

import binascii
import hmac
from base64 import b64decode, b64encode
from collections.abc import Iterable, Sequence

from qwebhook.model.errors import InvalidWebhook

PREFIX = "whsec_"
GENERATED_BYTES = 32
TOLERANCE_SECONDS = 300
# Secrets that sign at once: each makes `webhook-signature` longer, and receivers limit how long a header may be.
MOST_SECRETS = 10
# A secret and when it runs out (milliseconds since the epoch); None: it does not.
TimedSecret = tuple[str, int | None]
_RULE = "give 32 to 64 characters, a whsec_ secret (base64 of 24 to 64 bytes), or `generate`"


def generated_secret(random_bytes: bytes) -> str:
    """A `whsec_` secret of the random bytes (32 of them)."""
    return PREFIX + b64encode(random_bytes).decode()


def standard_key(secret: str) -> bytes:
    """The key of the Standard Webhooks scheme.

    A `whsec_` secret whose remainder is not base64 of 24 to 64 bytes is a plain one that happens to begin so.
    """
    if secret.startswith(PREFIX):
        try:
            encoded = secret[len(PREFIX) :]
            # Padding at the end may be missing, as other implementations allow.
            decoded = b64decode(encoded + "=" * (-len(encoded) % 4), validate=True)
        except (binascii.Error, ValueError):
            return secret.encode()
        if 24 <= len(decoded) <= 64:
            return decoded
    return secret.encode()


def check_secret(secret: str) -> None:
    """Refuse a secret that neither scheme could use. Raises InvalidWebhook, without showing the secret."""
    # First, since bytes of the command line that are not UTF-8 become characters that cannot be encoded.
    if not secret.isprintable():
        raise InvalidWebhook("secret", "has characters that cannot be printed", _RULE)
    if standard_key(secret) != secret.encode():
        return
    if not 32 <= len(secret) <= 64:
        raise InvalidWebhook("secret", f"has {len(secret)} characters", _RULE)


def qlik_signature(secret: str, body: bytes) -> str:
    """The value of `Qlik-Signature`: 64 hex digits."""
    return hmac.digest(secret.encode(), body, "sha256").hex()


def standard_signature(key: bytes, message_id: str, timestamp: int, body: bytes) -> str:
    """One entry of `webhook-signature`: `v1,` and base64. `key` is a `standard_key`, `timestamp` whole seconds."""
    signed = b"%s.%d.%s" % (message_id.encode(), timestamp, body)
    return "v1," + binascii.b2a_base64(hmac.digest(key, signed, "sha256"), newline=False).decode()


class Signer:
    """Signs for one webhook; the keys are prepared once, not per delivery.

    secrets: the current one first, then those in their grace period.
    """

    __slots__ = ("_qlik", "_standard")

    def __init__(self, secrets: Sequence[TimedSecret]) -> None:
        # Copies of a keyed HMAC rather than `hmac.digest`: that gives the interpreter's lock away at every call,
        # however short, and under load getting it back takes ten times as long as the digest.
        self._qlik = hmac.new(secrets[0][0].encode(), digestmod="sha256") if secrets else None
        self._standard = [(hmac.new(standard_key(secret), digestmod="sha256"), until) for secret, until in secrets]

    def headers(self, message_id: str, timestamp: int, body: bytes) -> dict[str, str]:
        """`webhook-signature` (every secret that has not run out) and `Qlik-Signature` (the current one).

        Empty without a secret. timestamp: whole seconds since the epoch, the time of signing.
        """
        if self._qlik is None:
            return {}
        start = b"%s.%d." % (message_id.encode(), timestamp)
        entries = []
        for keyed, until in self._standard:
            if until is not None and until <= timestamp * 1000:
                continue
            mac = keyed.copy()
            mac.update(start)
            mac.update(body)
            entries.append("v1," + binascii.b2a_base64(mac.digest(), newline=False).decode())
        mac = self._qlik.copy()
        mac.update(body)
        return {"webhook-signature": " ".join(entries), "Qlik-Signature": mac.hexdigest()}


def verify_qlik(secrets: Iterable[str], body: bytes, signature: str) -> bool:
    """Whether `signature` is one that a secret makes of the body, in constant time for each secret."""
    given = signature.strip().lower().encode()
    matches = [hmac.compare_digest(qlik_signature(secret, body).encode(), given) for secret in secrets]
    return any(matches)


def verify_standard(
    secrets: Iterable[str],
    message_id: str,
    timestamp: str,
    signatures: str,
    body: bytes,
    now: float,
    tolerance: float = TOLERANCE_SECONDS,
) -> str:
    """Check Standard Webhooks headers; "" if they hold, otherwise why they do not.

    timestamp: the header's text (seconds). now: seconds since the epoch. tolerance: seconds either way.
    """
    # More digits than any time has would be too many for int().
    if not timestamp.isascii() or not timestamp.isdigit() or len(timestamp) > 15:
        return "webhook-timestamp is not a whole number of seconds"
    seconds = int(timestamp)
    entries = [entry.encode() for entry in signatures.split() if entry.startswith("v1,")]
    if not entries:
        return "webhook-signature has no v1 entry"
    expected = [standard_signature(standard_key(secret), message_id, seconds, body).encode() for secret in secrets]
    matches = [hmac.compare_digest(one, entry) for one in expected for entry in entries]
    if not any(matches):
        return "the signature does not fit the body and the secret"
    age = now - seconds
    if abs(age) > tolerance:
        direction = "old" if age > 0 else "ahead"
        return f"the signature is {abs(age):.0f} s {direction}, more than the {tolerance:.0f} s allowed"
    return ""
