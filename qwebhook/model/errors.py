"""Everything that qwebhook raises on purpose, in one tree.

QwebhookError                    1   500   something failed
├── InvalidInput                 2   400   what was given cannot be used
│   ├── InvalidWebhook                     a field of a webhook (names it)
│   ├── InvalidFilter                      a filter expression (knows the position)
│   ├── InvalidPatch                       a JSON Patch document
│   ├── Ambiguous                2   409   a reference that fits several things
│   └── EventRejected                      an event that cannot be accepted
│       ├── UnsupportedFormat    2   415   a content type or data that is not JSON
│       └── BodyTooLarge         2   413   over the size limit
├── RenderFailed                1   500   a template that cannot be rendered for an event
├── Conflict                     1   409   the thing exists already, or a field is read-only
├── NotAuthorised                4   401   no or wrong credentials
│   ├── WrongCredentials                   credentials that do not hold, as of one who guesses
│   └── Forbidden                4   403   known, but not allowed
│       └── QuotaExceeded                  a user has as many webhooks as one may have
├── NotFound                     5   404   no such webhook, delivery, event type …
└── Unavailable                  6   503   store or server unreachable
    ├── StoreMissing                       there is no such file
    ├── StoreBusy                          locked by another process
    ├── StoreReadOnly                      the file or its folder cannot be written
    ├── StoreDamaged                       not a database, or not a qwebhook store
    ├── StoreTooNew                        made by a later version
    ├── StoreKeyProblem                    the key is missing, unreadable or another one
    └── StoreFull                          the disk is full

The numbers are the exit code of the command line and the HTTP status of the server; a subclass has its parent's
unless it says otherwise. One boundary in each (`cli.entry`, `server.responses`) turns errors into them; code
below raises and never exits.
"""

from __future__ import annotations

from typing import ClassVar


class QwebhookError(Exception):
    """Something failed.

    message: one sentence without a final full stop that says what is wrong.
    hint: what to do about it, or "".
    """

    exit_code: ClassVar[int] = 1
    status: ClassVar[int] = 500
    code: ClassVar[str] = "QWH-INTERNAL"

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint

    def __str__(self) -> str:
        return f"{self.message}; {self.hint}" if self.hint else self.message


class InvalidInput(QwebhookError):
    """What was given cannot be used."""

    exit_code = 2
    status = 400
    code = "QWH-INVALID"


class InvalidWebhook(InvalidInput):
    """A field of a webhook cannot be used; `field` has the REST API's name of it."""

    code = "QWH-INVALID-WEBHOOK"

    def __init__(self, field: str, message: str, hint: str = "") -> None:
        super().__init__(f"{field}: {message}", hint)
        self.field = field


class InvalidFilter(InvalidInput):
    """A filter expression is wrong at `position` (characters from 0)."""

    code = "QWH-INVALID-FILTER"

    def __init__(self, message: str, expression: str, position: int) -> None:
        super().__init__(f"filter: {message} at position {position + 1} of {expression!r}")
        self.expression = expression
        self.position = position


class InvalidPatch(InvalidInput):
    """A JSON Patch document cannot be applied."""

    code = "QWH-INVALID-PATCH"


class Ambiguous(InvalidInput):
    """A reference fits several things."""

    status = 409
    code = "QWH-AMBIGUOUS"


class EventRejected(InvalidInput):
    """An event cannot be accepted as it is."""

    code = "QWH-INVALID-EVENT"


class UnsupportedFormat(EventRejected):
    """The content type, or the data, is nothing that can be forwarded as JSON."""

    status = 415
    code = "QWH-UNSUPPORTED-FORMAT"


class BodyTooLarge(EventRejected):
    """A body is over the size limit."""

    status = 413
    code = "QWH-TOO-LARGE"


class RenderFailed(QwebhookError):
    """A webhook's template cannot be rendered for this event; another event may do. No request fails with it."""


class Conflict(QwebhookError):
    """The thing exists already, or a read-only field was given."""

    status = 409
    code = "QWH-CONFLICT"


class NotAuthorised(QwebhookError):
    """No credentials, or wrong ones."""

    exit_code = 4
    status = 401
    code = "QWH-UNAUTHORISED"


class WrongCredentials(NotAuthorised):
    """Credentials were given, and do not hold."""


class Forbidden(NotAuthorised):
    """The credentials are known, and do not allow this."""

    status = 403
    code = "QWH-FORBIDDEN"


class QuotaExceeded(Forbidden):
    """A user has as many webhooks as one may have."""

    code = "QWH-QUOTA"


class NotFound(QwebhookError):
    """There is no such thing."""

    exit_code = 5
    status = 404
    code = "QWH-NOT-FOUND"


class Unavailable(QwebhookError):
    """A store or a server cannot be reached, or another process holds it."""

    exit_code = 6
    status = 503
    code = "QWH-UNAVAILABLE"


class StoreMissing(Unavailable):
    """There is no store at that place."""


class StoreBusy(Unavailable):
    """Another process holds the store."""


class StoreReadOnly(Unavailable):
    """The store's file or folder cannot be written."""


class StoreDamaged(Unavailable):
    """The file is not a database, or not one of qwebhook's."""


class StoreTooNew(Unavailable):
    """A later version of qwebhook made the store."""


class StoreKeyProblem(Unavailable):
    """The store's key is missing, cannot be read, or is another store's."""


class StoreFull(Unavailable):
    """There is no room to write."""
