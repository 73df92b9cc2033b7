"""The check of a receiver's certificate chain."""

from __future__ import annotations

import asyncio
import ssl
import time
from _ssl import ENCODING_DER
from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from itertools import pairwise
from typing import Any, TypeVar
from urllib.parse import urlsplit

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID

from qwebhook.deliver.daemon_threads import DaemonThreads
from qwebhook.deliver.request import USER_AGENT, PreparedRequest
from qwebhook.deliver.revocation import crl, ocsp
from qwebhook.deliver.revocation.once import Found, Once
from qwebhook.deliver.revocation.verdict import Good, NotVouchedFor, Revoked, Unknown, Untold, Verdict
from qwebhook.model.delivery import Exchange, Reply, reason

# A responder answers within milliseconds; if it does not, there is time for the list. A list may be large.
OCSP_SECONDS = 3.0
LIST_SECONDS = 10.0
OCSP_LIMIT = 64 << 10
LIST_LIMIT = 16 << 20
# At a time, since each may hold as much as a list.
FETCHES = 16
# Of those that a certificate names for either way.
SOURCES = 3
# A good answer may hold for a week; to ask each hour is to hear of a revocation on the same day.
KEPT_SECONDS = 3600.0
# Who does not answer is left alone, and not asked again for every delivery.
FAILED_SECONDS = 60.0
VERDICTS = 1000
LISTS_BYTES = 64 << 20
NAME_LIMIT = 60
T = TypeVar("T")

# Sends a request, and keeps so many bytes of the answer.
Send = Callable[[PreparedRequest, int], Awaitable[Exchange]]
# A certificate and its issuer's, or where a list is and its issuer's; certificates as DER.
Pair = tuple[bytes, bytes]
Place = tuple[str, bytes]


def verified_chain(connection: ssl.SSLObject) -> list[bytes]:
    """The chain of a connection as it was verified, from the receiver's certificate to the trusted one, as DER."""
    if hasattr(connection, "get_verified_chain"):  # Python 3.13
        return list(connection.get_verified_chain())
    # Before, the same was there without a public name.
    internal: Any = connection
    return [one.public_bytes(ENCODING_DER) for one in internal._sslobj.get_verified_chain() or ()]


class RevocationCheck:
    """Asks about certificates, and keeps the answers. To be made, used and closed within one event loop.

    send: as a delivery is sent, through the guard of addresses. seconds: for the check of a connection; what takes
    longer goes on, and the next attempt has it. clock: seconds since the epoch.
    """

    def __init__(self, send: Send, seconds: float, clock: Callable[[], float] = time.time) -> None:
        self._send = send
        self._seconds = seconds
        self._clock = clock
        self._verdicts: Once[Pair, Verdict] = Once(self._find_verdict, VERDICTS, clock)
        self._lists: Once[Place, crl.VerifiedList | str] = Once(self._find_list, LISTS_BYTES, clock)
        self._slots = asyncio.Semaphore(FETCHES)
        # To read a list takes some 20 ms a MiB, of which the interpreter, and so the loop, is held for 15 all the same.
        self._threads = DaemonThreads("qwebhook-crl", 2)

    async def check(self, chain: Sequence[bytes]) -> None:
        """Raises NotVouchedFor unless every certificate below the trusted one is known not to be revoked.

        chain: DER, the receiver's own first.
        """
        if len(chain) < 2:
            raise NotVouchedFor(f"{_untold(0)}: it is trusted by itself, and no authority vouches for it")
        pairs = list(pairwise(chain))
        verdicts = [self._verdicts.known(pair) for pair in pairs]
        if any(verdict is None for verdict in verdicts):
            verdicts = list(await asyncio.gather(*(self._verdict(pair) for pair in pairs)))
        # That one is revoked says more than that another cannot be asked about.
        for verdict, level in sorted(zip(verdicts, range(len(pairs)), strict=True), key=_unknown_last):
            if isinstance(verdict, Revoked):
                why = f" ({verdict.why})" if verdict.why else ""
                raise NotVouchedFor(f"{_whose(level, pairs[level])} was revoked on {verdict.day}{why}")
            if isinstance(verdict, Unknown):
                raise NotVouchedFor(f"{_untold(level, pairs[level])}: {verdict.words}")

    async def _verdict(self, pair: Pair) -> Verdict:
        try:
            async with asyncio.timeout(self._seconds):
                return await self._verdicts.of(pair)
        except TimeoutError:
            return Unknown(f"no answer within {self._seconds:g} s")

    async def _find_verdict(self, pair: Pair) -> Found[Verdict]:
        verdict: Verdict
        try:
            certificate, issuer = (x509.load_der_x509_certificate(one) for one in pair)
            verdict = await self._ask(certificate, issuer)
        except Exception as error:
            # What nobody foresaw of bytes that strangers wrote.
            verdict = Unknown(f"it cannot be read ({type(error).__name__})")
        now = self._clock()
        if not isinstance(verdict, Unknown):
            return Found(verdict, min(verdict.until, now + KEPT_SECONDS))
        before = self._verdicts.last(pair)
        if isinstance(before, Good | Revoked) and before.until > now:
            verdict = before  # nobody tells just now, but what was told still holds
        return Found(verdict, now + FAILED_SECONDS)

    async def _ask(self, certificate: x509.Certificate, issuer: x509.Certificate) -> Verdict:
        """The verdict of the first who tells: a responder's is the newer one, and costs less than a list."""
        ways: list[tuple[str, Callable[[], Awaitable[Verdict]]]] = []
        for url in _fetchable(ocsp.responders(certificate)):
            ways.append((url, partial(self._ask_responder, url, certificate, issuer)))
        places = dict(crl.points(certificate))
        for url in _fetchable(places):
            ways.append((url, partial(self._look_up, url, places[url], certificate, issuer)))
        failed = []
        for url, ask in ways:
            try:
                return await ask()
            except Untold as error:
                failed.append(f"{_host(url)}: {error}")
            except Exception as error:
                failed.append(f"{_host(url)}: the answer cannot be read ({type(error).__name__})")
        return Unknown("; ".join(failed) or "it names nobody who could be asked (OCSP or CRL over http)")

    async def _ask_responder(self, url: str, certificate: x509.Certificate, issuer: x509.Certificate) -> Verdict:
        headers = {"User-Agent": USER_AGENT, "Content-Type": ocsp.MEDIA_TYPE}
        request = PreparedRequest(url, headers, headers, ocsp.question(certificate, issuer))
        data = await self._fetch(request, OCSP_SECONDS, OCSP_LIMIT)
        return ocsp.read_answer(data, certificate, issuer, self._clock())

    async def _look_up(
        self, url: str, point: x509.DistributionPoint, certificate: x509.Certificate, issuer: x509.Certificate
    ) -> Verdict:
        der = issuer.public_bytes(Encoding.DER)
        entries = await self._lists.of((url, der))
        if isinstance(entries, str):
            raise Untold(entries)
        return await self._in_thread(crl.look_up, certificate, point, entries)

    async def _find_list(self, place: Place) -> Found[crl.VerifiedList | str]:
        url, issuer = place
        weight = len(url) + len(issuer)
        headers = {"User-Agent": USER_AGENT}
        try:
            request = PreparedRequest(url, headers, headers, b"", method="GET")
            data = await self._fetch(request, LIST_SECONDS, LIST_LIMIT)
            certificate = x509.load_der_x509_certificate(issuer)
            entries = await self._in_thread(crl.read_list, data, certificate, self._clock())
        except Untold as error:
            return Found(str(error), self._clock() + FAILED_SECONDS, weight)
        except Exception as error:
            words = f"the list cannot be read ({type(error).__name__})"
            return Found(words, self._clock() + FAILED_SECONDS, weight)
        return Found(entries, min(entries.until, self._clock() + KEPT_SECONDS), weight + len(data))

    async def _in_thread(self, function: Callable[..., T], *arguments: Any) -> T:
        return await asyncio.wrap_future(self._threads.submit(function, *arguments))

    async def _fetch(self, request: PreparedRequest, seconds: float, limit: int) -> bytes:
        async with self._slots:
            try:
                async with asyncio.timeout(seconds):
                    exchange = await self._send(request, limit)
            except TimeoutError:
                raise Untold(f"no answer within {seconds:g} s") from None
        result = exchange.result
        if not isinstance(result, Reply) or result.status != 200:
            raise Untold(reason(result))
        if result.truncated:
            raise Untold(
                f"the answer is larger than {limit >> 10:,} KiB"
                if len(result.body) == limit
                else "the answer broke off"
            )
        return result.body

    async def close(self) -> None:
        """End what is being asked."""
        await self._verdicts.close()
        await self._lists.close()


def _fetchable(urls: Sequence[str] | dict[str, Any]) -> list[str]:
    """Those over http, as these are by the standard: over https there would be a certificate to be asked about."""
    return [url for url in dict.fromkeys(urls) if url.lower().startswith("http://")][:SOURCES]


def _unknown_last(entry: tuple[Verdict | None, int]) -> bool:
    return isinstance(entry[0], Unknown)


def _untold(level: int, pair: Pair | None = None) -> str:
    return f"it cannot be told whether {_whose(level, pair)} was revoked"


def _whose(level: int, pair: Pair | None = None) -> str:
    if not level or pair is None:
        return "the certificate"
    names = x509.load_der_x509_certificate(pair[0]).subject.get_attributes_for_oid(NameOID.COMMON_NAME)
    # By repr, since a stranger wrote it.
    return f"the certificate of the authority {str(names[0].value)[:NAME_LIMIT]!r}" if names else "that of an authority"


def _host(url: str) -> str:
    try:
        return (urlsplit(url).hostname or url)[:NAME_LIMIT]
    except ValueError:
        return "a URL that cannot be read"
