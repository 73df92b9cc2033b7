"""Publishers: they send every event until it has its 202, whatever becomes of the server meanwhile."""

from __future__ import annotations

import asyncio
import time

import aiohttp

from soak.events import body_of
from soak.ledger import Ledger
from soak.process import Server

BATCH = 10
REFUSED_SECONDS = 0.2


class Load:
    """A number of publishers, which take turns with single events and batches, at a rate of events a second in all."""

    def __init__(self, server: Server, ledger: Ledger, token: str, rate: float, publishers: int = 8) -> None:
        self._server = server
        self._ledger = ledger
        self._headers = {"Authorization": f"Bearer {token}"}
        self._interval = 1 / rate
        self._next_at = time.monotonic()
        self._ending = False
        self._session = aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=60))
        self._tasks = [asyncio.create_task(self._publish(number)) for number in range(publishers)]

    async def end(self) -> None:
        """Let each publisher bring what it has in hand to its 202, and end."""
        self._ending = True
        await asyncio.gather(*self._tasks)

    async def close(self) -> None:
        """End at once."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._session.close()

    async def _publish(self, turn: int) -> None:
        while not self._ending:
            turn += 1
            numbers = self._ledger.take_numbers(BATCH if turn % 5 == 0 else 1)
            # A server that was down is not to be made up for: the rate is a limit.
            self._next_at = max(self._next_at + len(numbers) * self._interval, time.monotonic() - 1)
            await asyncio.sleep(self._next_at - time.monotonic())
            await self._send(numbers)

    async def _send(self, numbers: range) -> None:
        bodies = [body_of(number) for number in numbers]
        batch = len(bodies) > 1
        body = b"[" + b",".join(bodies) + b"]" if batch else bodies[0]
        kind = "application/cloudevents-batch+json" if batch else "application/cloudevents+json"
        headers = {**self._headers, "Content-Type": kind}
        began = time.monotonic()
        again = False
        while True:
            await self._server.up.wait()
            try:
                async with self._session.post(f"{self._server.url}/events", data=body, headers=headers) as response:
                    status, answer = response.status, await response.json()
            except (aiohttp.ClientError, ConnectionError, TimeoutError, ValueError):
                self._ledger.counts["requests without an answer"] += 1
                again = True
                # The server was killed, which whoever did it is about to say.
                await asyncio.sleep(0.01)
                continue
            if status == 202:
                break
            if status != 503:
                self._ledger.fault(f"POST /events was answered {status}: {answer}")
                return
            self._ledger.refused()
            # A disk that fills up at the very end of a commit can leave a whole transaction, which a restart finds.
            again = True
            await asyncio.sleep(REFUSED_SECONDS)
        if answer["duplicates"]:
            self._judge_duplicates(answer["duplicates"], numbers, again)
        for number in numbers:
            self._ledger.answered(number, began, time.monotonic())

    def _judge_duplicates(self, duplicates: int, numbers: range, again: bool) -> None:
        if not again:
            self._ledger.fault(f"{numbers} were called duplicates, and had not been sent before")
        elif duplicates != len(numbers):
            self._ledger.fault(f"of {numbers}, one request, only {duplicates} had been taken")
        else:
            self._ledger.counts["requests whose 202 was lost"] += 1
