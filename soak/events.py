"""What is published, and who must get it: everything follows from an event's number."""

from __future__ import annotations

import json
from dataclasses import dataclass

TYPE = "com.example.soak."
SOURCE = "soak"
KINDS = ("a", "b", "c", "slow", "failing", "strict", "changing")
HANGING_EVERY = 100
CHANGING = "changing"


def kind_of(number: int) -> str:
    """The last part of an event's type. A receiver that never answers takes few, for each holds a slot for long."""
    return "hanging" if number % HANGING_EVERY == 0 else KINDS[number % len(KINDS)]


def space_of(number: int) -> str:
    """The space an event is of, by which one webhook filters."""
    return "one" if number // len(KINDS) % 2 else "two"


def body_of(number: int) -> bytes:
    """The event, always the same bytes for a number, some 600 of them."""
    return json.dumps(
        {
            "specversion": "1.0",
            "id": str(number),
            "source": SOURCE,
            "type": TYPE + kind_of(number),
            "spaceid": space_of(number),
            "data": {"number": number, "text": f"{number:032x}" * 14},
        }
    ).encode()


@dataclass(frozen=True)
class Hook:
    """A webhook that is there from beginning to end. space: which it filters by."""

    name: str
    kinds: tuple[str, ...]
    space: str | None = None
    options: tuple[str, ...] = ()

    def wants(self, number: int) -> bool:
        """Whether it must get an event; it must get no other."""
        return kind_of(number) in self.kinds and self.space in (None, space_of(number))

    @property
    def arguments(self) -> tuple[str, ...]:
        """The options of `qwebhook create`."""
        chosen = ("--filter", f'spaceId eq "{self.space}"') if self.space else ()
        return *(word for kind in self.kinds for word in ("--event", TYPE + kind)), *chosen, *self.options


HOOKS = (
    Hook("quick", ("a",)),
    Hook("signed", ("b", "c"), options=("--secret", "generate")),
    Hook("filtered", ("a", "b", "c"), space="one"),
    Hook("slow", ("slow",)),
    Hook("failing", ("failing",)),
    Hook("strict", ("strict",), options=("--ordering", "strict")),
    Hook("hanging", ("hanging",)),
    Hook("never", ("a", "b"), space="none"),
)
