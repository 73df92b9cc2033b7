"""The server is killed at random moments, for as long as it is to last; then everything that is owed must have come."""

from __future__ import annotations

import asyncio
import statistics
import tempfile
import time
from collections import Counter
from contextlib import closing
from pathlib import Path
from random import Random

from qwebhook.deliver.lane import MOST_CONCURRENCY
from soak.events import HOOKS
from soak.power_loss import check_integrity, copy_after_power_loss, read_only
from soak.process import Home
from soak.trial import JUMP_SECONDS, Trial, key_of, pending

# So short that every start has something to sweep.
RETENTION = "20s"
LIFE_SECONDS = 2.0
STARTING_SECONDS = 0.6
KILLED_WHILE_STARTING, CLOCK_JUMPS = 0.1, 0.25
STORE_CHECK_EVERY = 20
POWER_LOSS_EVERY = 8

Figures = dict[str, float]


class Kills:
    """One run, on a store in a folder of its own. wrong: what was otherwise than it must be, once it has run.

    life_seconds: how long a server lives on average. power_loss_every: of the kills, one in so many is a power loss.
    """

    def __init__(
        self,
        folder: Path,
        random: Random,
        rate: float,
        *,
        life_seconds: float = LIFE_SECONDS,
        power_loss_every: int = POWER_LOSS_EVERY,
    ) -> None:
        self._trial = Trial(folder, random, rate, "--retention", RETENTION)
        self._random = random
        self._life_seconds = life_seconds
        self._power_loss_every = power_loss_every
        self._counts = self._trial.ledger.counts

    @property
    def wrong(self) -> list[str]:
        return self._trial.ledger.wrong

    async def run(self, seconds: float = 0, lives: int = 1) -> Figures:
        """Go on for so long and for at least so many lives, then until everything is settled; the figures."""
        began = time.monotonic()
        async with self._trial as trial:
            changing = asyncio.create_task(trial.changes.run())
            try:
                while time.monotonic() - began < seconds or trial.ledger.start < lives:
                    await self._live()
                loaded = time.monotonic() - began
                await trial.start()
                trial.changes.end()
                await changing
                await trial.settle()
            finally:
                changing.cancel()
        return self._figures(loaded)

    async def _live(self) -> None:
        """One life of the server, from its start to its end by SIGKILL."""
        trial, random = self._trial, self._random
        if random.random() < KILLED_WHILE_STARTING:
            await trial.spawn()
            await asyncio.sleep(random.uniform(0, STARTING_SECONDS))
            await trial.server.end()
            self._counts["kills while it started"] += 1
            return
        await trial.start()
        checking = asyncio.create_task(self._check())
        if random.random() < CLOCK_JUMPS:
            self._jump()
        await asyncio.sleep(random.expovariate(1 / self._life_seconds))
        if trial.server.ended:
            trial.ledger.fault("the server ended by itself:\n" + "\n".join(trial.server.lines))
        if trial.ledger.start % self._power_loss_every == 0:
            # A process that closes a file gives up all its locks on it: whoever copies the store must not be reading it
            # with SQLite meanwhile, or a checkpoint would change what is being read.
            await checking
            await self._lose_power()
        await trial.server.end()
        self._counts["kills under load"] += 1
        await checking

    def _jump(self) -> None:
        """Set the clock to anywhere within an hour of the machine's, so that it jumps forth and back."""
        moved = self._random.uniform(-JUMP_SECONDS, JUMP_SECONDS)
        self._trial.moved = max(self._trial.moved, moved)
        self._trial.home.clock.move(moved)
        self._counts["jumps of the clock"] += 1

    async def _check(self) -> None:
        await self._trial.check()
        if self._trial.ledger.start % STORE_CHECK_EVERY == 0:
            await self._trial.check_by_command()

    async def _lose_power(self) -> None:
        """Look at what a power loss now would leave. The server stays stopped, and is to be killed."""
        trial = self._trial
        accepted = trial.ledger.take_accepted()
        with tempfile.TemporaryDirectory(dir=trial.home.folder) as folder:
            copy = copy_after_power_loss(trial.server.pid, trial.home.store, Path(folder), self._random)
            if copy is None:
                self._counts["stops while the log's index changed"] += 1
                return
            # Whatever has come by now may be on record; all else must be in the queue.
            missing = list(trial.ledger.missing(accepted))
            for problem in await asyncio.to_thread(look_at, copy, accepted, missing):
                trial.ledger.fault(f"power loss: {problem}")
        self._counts["power losses"] += 1
        self._counts["events looked for after power losses"] += len(accepted)

    def _figures(self, loaded: float) -> Figures:
        ledger, counts, starts = self._trial.ledger, self._counts, self._trial.starts
        by_kill: Counter[int] = Counter()
        for (start, _), count in ledger.repeats.items():
            by_kill[start] += count
        kills = counts["kills under load"] + counts["kills while it started"]
        return {
            "minutes of load": round(loaded / 60, 1),
            "kills": kills,
            "kills while it started": counts["kills while it started"],
            "from start to ready, ms, median": round(statistics.median(starts) * 1000),
            "from start to ready, ms, longest": round(max(starts) * 1000),
            "jumps of the clock, of up to two hours": counts["jumps of the clock"],
            "integrity checks": counts["integrity checks"],
            "store checks": counts["store checks"],
            "power losses": counts["power losses"],
            "events looked for after power losses": counts["events looked for after power losses"],
            "commands that changed something": counts["commands"],
            "webhooks that came and went": len(self._trial.changes.webhooks),
            "events accepted (202)": ledger.accepted,
            "of those, swept after a retention of 20 s": ledger.accepted - count_events(self._trial.home.store),
            "requests refused (503)": counts["requests refused"],
            "requests cut off by a kill": counts["requests without an answer"],
            "of those, taken: duplicates when sent again": counts["requests whose 202 was lost"],
            "deliveries": counts["delivered"],
            "deliveries to webhooks that came and went": sum(len(came) for came in ledger.changed.values()),
            "answers of 503 by a receiver": counts["failed answers"],
            "pending at the end, for one that never answers": counts["pending"],
            "sent again after kills": sum(by_kill.values()),
            "sent again after one kill, at most": max(by_kill.values(), default=0),
            "could have been in flight at the kills": kills * MOST_CONCURRENCY * len(HOOKS),
            "resident memory, MB, at most": round(self._trial.resident / 1e6),
            "the store at the end, MB": round(size_of(self._trial.home) / 1e6),
            "lost": counts["lost"],
            "faults": counts["faults"],
        }


def count_events(store: Path) -> int:
    """How many events have not been swept."""
    with closing(read_only(store)) as database:
        count: int = database.execute("SELECT count(*) FROM event").fetchone()[0]
    return count


def size_of(home: Home) -> int:
    """Bytes of the store's files."""
    return sum(file.stat().st_size for file in home.folder.glob(f"{home.store.name}*"))


def look_at(copy: Path, accepted: list[int], missing: list[tuple[str, int]]) -> list[str]:
    """What is wrong in a store that lost power: these events were accepted, these deliveries not yet received."""
    problems = check_integrity(copy)
    if problems:
        return problems
    with closing(read_only(copy)) as database:
        known = {row[0] for row in database.execute("SELECT key FROM event_key")}
    waiting = pending(copy)
    gone = [f"event {number} was accepted, and is gone" for number in accepted if key_of(number) not in known]
    return gone + [
        f"event {number} for {name} is neither delivered nor pending"
        for name, number in missing
        if (name, key_of(number)) not in waiting
    ]
