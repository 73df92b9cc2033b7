"""The disk fills up under load, the server is killed while it is full, and later the disk is read-only for a while."""

from __future__ import annotations

from pathlib import Path
from random import Random

from soak.small_disk import SmallDisk
from soak.trial import Trial

# KiB: of the disk, then what is left free of it to fill it again, and to go on.
SMALL, LITTLE, ROOM = 3 << 10, 256, 64 << 10
RATE = 1000.0
REFUSED, ACCEPTED = 10, 100
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

    async def run(self, rounds: int = 1) -> Figures:
        """Raises NoSmallDisk where there can be none."""
        with self._disk as disk:
            async with self._trial as trial:
                await trial.start()
                for _ in range(rounds):
                    await self._fill_up()
                    disk.leave_free(ROOM)
                    await self._until_accepted()
                    await trial.server.end()
                    await self._be_read_only()
                    await self._start_with_little_room()
                disk.leave_free(ROOM)
                await self._until_accepted()
                await trial.settle()
        ledger = trial.ledger
        return {
            "times that the disk was full": rounds,
            "events accepted (202)": ledger.accepted,
            "requests refused (503)": ledger.counts["requests refused"],
            "starts refused for want of room": ledger.counts["starts refused"],
            "starts refused on a read-only disk": rounds,
            "failed transactions": trial.server.said["store failed"],
            "deliveries": ledger.counts["delivered"],
            "lost": ledger.counts["lost"],
            "faults": ledger.counts["faults"],
        }

    async def _fill_up(self) -> None:
        """Publish until the disk is full, and start another server on the full disk."""
        trial = self._trial
        await self._until_refused()
        await trial.server.end()
        await trial.spawn()
        try:
            await trial.server.listening()
        except RuntimeError as error:
            # It cannot work without an index of the log, for which there need be no room.
            self._judge(await trial.server.end(), "no room", str(error))
            self._trial.ledger.counts["starts refused"] += 1
            await self._start_with_little_room()
        await self._until_refused()

    async def _start_with_little_room(self) -> None:
        """It must listen; whether it can still write when that is asked, the load decides."""
        self._disk.leave_free(LITTLE)
        await self._trial.spawn()
        await self._trial.server.listening()

    async def _be_read_only(self) -> None:
        """A server cannot start then, says so, and leaves the store as it is."""
        self._disk.remount("ro")
        try:
            code, _, words = await self._trial.home.run("serve", "--port", "0")
        finally:
            self._disk.remount("rw")
        self._judge(code, "ead-only", words)

    def _judge(self, code: int, why: str, words: str) -> None:
        if code != UNAVAILABLE or why not in words:
            self._trial.ledger.fault(f"the server ended with {code}, and did not say {why}: {words}")

    async def _until_refused(self) -> None:
        ledger = self._trial.ledger
        wanted = ledger.counts["requests refused"] + REFUSED
        await ledger.until(lambda: ledger.counts["requests refused"] >= wanted, "refused events on a full disk")

    async def _until_accepted(self) -> None:
        ledger = self._trial.ledger
        wanted = ledger.accepted + ACCEPTED
        await ledger.until(lambda: ledger.accepted >= wanted, "events accepted again")
