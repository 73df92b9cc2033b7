"""Following a log for as long as it is wanted: read, hand on, wait, and begin again after a failure."""

from __future__ import annotations

from typing import Protocol

from qwebhook.model.errors import QwebhookError
from qwebhook.source.pace import ReadingPace, Stopped, Stopping
from qwebhook.source.tail import Step, Tail


class Follower(Protocol):
    """Who takes what comes, and hears how it goes."""

    def take(self, step: Step) -> None:
        """Hand the events on and keep the place. Once it returns, the step is never given again.

        Raises QwebhookError: then it is given again.
        """

    def caught_up(self) -> None:
        """All that there is by now has been read."""

    def failed(self, error: QwebhookError) -> None:
        """A reading failed, and is tried again; unless this raises."""


def follow(tail: Tail, follower: Follower, stopping: Stopping, pace: ReadingPace) -> None:
    """Read until told to stop, and return soon after that."""
    while not stopping.stopped:
        found = 0
        try:
            for step in tail.read():
                follower.take(step)
                found += len(step.events)
                if stopping.stopped:
                    return
            follower.caught_up()
            wait = pace.after(found > 0)
        except Stopped:
            return
        except QwebhookError as error:
            follower.failed(error)
            wait = pace.after_failure()
        try:
            stopping.sleep(wait)
        except Stopped:
            return
