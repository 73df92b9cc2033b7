"""Which addresses may be connected to, where names are looked up."""

from __future__ import annotations

import asyncio
import socket
from typing import Any

from aiohttp.abc import AbstractResolver, ResolveResult
from aiohttp.resolver import ThreadedResolver

from qwebhook.deliver.daemon_threads import DaemonThreads
from qwebhook.model.addresses import AddressPolicy

# Names that are looked up at a time; each once, however many deliveries wait for it.
LOOKUPS = 128


class AddressRefused(OSError):
    """The address may not be connected to. An OSError, so that aiohttp treats it as a failed connection."""


class _Lookups:
    """Stands for the event loop in aiohttp's resolver, and looks names up on threads of our own.

    The loop has four or six for all names, so that as many that nobody answers for would delay every delivery.
    """

    def __init__(self) -> None:
        self._threads = DaemonThreads("qwebhook-dns", LOOKUPS)

    async def getaddrinfo(self, host: str, port: int, **hints: Any) -> Any:
        return await asyncio.wrap_future(self._threads.submit(socket.getaddrinfo, host, port, **hints))

    async def getnameinfo(self, address: Any, flags: int) -> Any:
        return await asyncio.wrap_future(self._threads.submit(socket.getnameinfo, address, flags))


class VettingResolver(AbstractResolver):
    """Drops refused addresses from an answer, so that a host with an allowed one is reached at that one."""

    def __init__(self, policy: AddressPolicy) -> None:
        self._policy = policy
        self._resolver = ThreadedResolver(_Lookups())  # type: ignore[arg-type]

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> list[ResolveResult]:
        answers = await self._resolver.resolve(host, port, family)
        refusals = [self._policy.refusal(answer["host"]) for answer in answers]
        allowed = [answer for answer, refusal in zip(answers, refusals, strict=True) if not refusal]
        if answers and not allowed:
            raise AddressRefused(refusals[0])
        return allowed

    async def close(self) -> None:
        await self._resolver.close()
