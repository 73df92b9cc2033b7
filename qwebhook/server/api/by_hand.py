"""What is sent by hand, within bounds: each resend and each test-fire holds a connection until it is answered."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

from qwebhook.server.responses import TooManyRequests
from qwebhook.store.contract import Token

# A receiver may take 15 s: so many can be under way without a shortage of sockets,
IN_ALL = 200
# and no user may take what the others need.
OF_A_USER = 10


class Slots:
    """Counts what is being sent by hand."""

    def __init__(self, in_all: int = IN_ALL, of_a_user: int = OF_A_USER) -> None:
        self._in_all = in_all
        self._of_a_user = of_a_user
        self._taken: Counter[str] = Counter()

    @contextmanager
    def one(self, token: Token) -> Iterator[None]:
        """Hold a slot within the block. Raises TooManyRequests."""
        holder = token.user_id or token.id
        if token.role == "user" and self._taken[holder] >= self._of_a_user:
            raise TooManyRequests(f"{self._of_a_user} of yours are being sent", "wait until one of them has ended")
        if self._taken.total() >= self._in_all:
            raise TooManyRequests(f"{self._in_all} are being sent", "wait until one of them has ended")
        self._taken[holder] += 1
        try:
            yield
        finally:
            self._taken[holder] -= 1
            if not self._taken[holder]:
                del self._taken[holder]
