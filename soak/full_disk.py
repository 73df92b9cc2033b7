"""The disk fills up under load, the server is killed while it is full, and later the disk is read-only for a while."""

from __future__ import annotations

from pathlib import Path
from random import Random

from soak.small_disk import SmallDisk
from soak.trial import Trial

SMALL, LARGE = "4m", "256m"
RATE = 1000.0
REFUSED, ACCEPTED = 20, 300
UNAVAILABLE = 6

Figures = dict[str, float]


class FullDisk:
    """One run, in a folder of its own. wrong: what was otherwise than it must be, once it has run."""

    def __init__(self, folder: Path, random: Random) -> None:
        self._disk = SmallDisk(folder / "disk", SMALL)
        # What is kept free by default would refuse everything here before the disk is full.
        self._trial = Trial(folder, random, RATE, "--keep-free", "0", store=self._disk.folder)

    @property
    def wrong(self) -> list[str]:
        return self._trial.ledger.wrong

    async def run(self) -> Figures:
        """Raises NoSmallDisk where there can be none."""
        with self._disk as disk:
            async with self._trial as trial:
                await trial.start()
                await self._until_refused()
                accepted_first = trial.ledger.accepted
                await trial.server.end()
                await trial.spawn()
                await trial.server.listening()  # also on a disk without room
                await self._until_refused()
                disk.resize(LARGE)
                await self._until_accepted()
                await trial.server.end()
                await self._be_read_only()
                await trial.start()
                await self._until_accepted()
                await trial.settle()
        ledger = trial.ledger
        return {
            "events accepted before the disk was full": accepted_first,
            "events accepted (202)": ledger.accepted,
            "requests refused (503)": ledger.counts["requests refused"],
            "failed transactions": trial.server.said["store failed"],
            "deliveries": ledger.counts["delivered"],
            "lost": ledger.counts["lost"],
            "faults": ledger.counts["faults"],
        }

    async def _be_read_only(self) -> None:
        """A server cannot start then, says so, and leaves the store as it is."""
        self._disk.remount("ro")
        try:
            code, _, words = await self._trial.home.run("serve", "--port", "0")
        finally:
            self._disk.remount("rw")
        if code != UNAVAILABLE or "ead-only" not in words:
            self._trial.ledger.fault(f"on a read-only disk the server ended with {code}: {words}")

    async def _until_refused(self) -> None:
        ledger = self._trial.ledger
        wanted = ledger.counts["requests refused"] + REFUSED
        await ledger.until(lambda: ledger.counts["requests refused"] >= wanted, "refused events on a full disk")

    async def _until_accepted(self) -> None:
        ledger = self._trial.ledger
        wanted = ledger.accepted + ACCEPTED
        await ledger.until(lambda: ledger.accepted >= wanted, "events accepted again")
