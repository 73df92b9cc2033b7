"""Which webhooks a command is about: those it names, or those that the filters of `list` select."""

from __future__ import annotations

import functools
import inspect
import re
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Annotated, Any, get_args

import typer

from qwebhook.cli.exit_codes import ExitCode
from qwebhook.cli.inputs import split_list
from qwebhook.cli.session import Session
from qwebhook.cli.suggestions import event_types, webhook_names
from qwebhook.model.errors import InvalidInput, NotFound, QwebhookError

if TYPE_CHECKING:
    from qwebhook.model.webhook import Webhook
    from qwebhook.store.contract import Page, WebhookQuery

WebhookArgument = Annotated[
    str,
    typer.Argument(metavar="WEBHOOK", help="An id, a name, or the beginning of an id.", autocompletion=webhook_names),
]
WebhookArguments = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="WEBHOOK...", help="Ids, names, or beginnings of ids.", autocompletion=webhook_names, show_default=False
    ),
]
AllOption = Annotated[bool, typer.Option("--all", help="Every webhook, or every one that the filters select.")]


def _filter(*names: str, **settings: Any) -> Any:
    return typer.Option(*names, rich_help_panel="Filters", **settings)


_FILTERS: dict[str, Any] = {
    "name": Annotated[str | None, _filter("--name", metavar="TEXT", help="The name contains this.")],
    "url": Annotated[str | None, _filter("--url", metavar="TEXT", help="The URL contains this.")],
    "enabled": Annotated[bool | None, _filter("--enabled/--disabled", help="Only enabled, or only disabled ones.")],
    "event": Annotated[
        list[str] | None,
        _filter(
            "--event",
            metavar="TYPE",
            help="Subscribed to this type; to all of them, if given several times.",
            autocompletion=event_types,
        ),
    ],
    "level": Annotated[str | None, _filter("--level", metavar="LEVEL", help="Of level tenant, or user.")],
    "origin": Annotated[
        list[str] | None,
        _filter("--origin", metavar="ORIGIN", help="Made by api, automations or management-console."),
    ],
    "owner": Annotated[str | None, _filter("--owner", metavar="ID", help="Owned by this user.")],
    "created_by": Annotated[str | None, _filter("--created-by", metavar="ID", help="Created by this user.")],
    "updated_by": Annotated[str | None, _filter("--updated-by", metavar="ID", help="Last changed by this user.")],
}


def filtered(command: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command the filters of `list` as options; it gets those that were used as its `filters`.

    An empty one is refused: it comes of a shell's variable that is not set, and would select everything.
    """

    @functools.wraps(command)
    def with_filters(**given: Any) -> Any:
        values = {name: given.pop(name) for name in _FILTERS}
        used = {name: value for name, value in values.items() if value is not None and value != []}
        for name, value in used.items():
            if value == "" or (isinstance(value, list) and not all(split_list([text]) for text in value)):
                raise InvalidInput(f"--{name.replace('_', '-')} is empty", "leave it out, or say what to look for")
        return command(**given, filters=used)

    # Evaluated here, where the command's own names are known; typer would look for them in this module.
    signature = inspect.signature(command, eval_str=True)
    options = [
        inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=None, annotation=option)
        for name, option in _FILTERS.items()
    ]
    own = [parameter for name, parameter in signature.parameters.items() if name != "filters"]
    with_filters.__signature__ = signature.replace(  # type: ignore[attr-defined]
        parameters=[one.replace(kind=inspect.Parameter.KEYWORD_ONLY) for one in own] + options
    )
    with_filters.__annotations__ = {
        name: hint for name, hint in command.__annotations__.items() if name != "filters"
    } | _FILTERS
    return with_filters


def webhook_query(
    *,
    name: str | None = None,
    url: str | None = None,
    enabled: bool | None = None,
    event: Sequence[str] | None = None,
    level: str | None = None,
    origin: Sequence[str] | None = None,
    owner: str | None = None,
    created_by: str | None = None,
    updated_by: str | None = None,
    sort: str | None = None,
) -> WebhookQuery:
    """The query that the options ask for. Raises InvalidInput for a value that is none of the choices."""
    from qwebhook.model.webhook import Level, Origin
    from qwebhook.store.contract import WebhookQuery, WebhookSort

    origins = split_list(origin)
    if level is not None:
        check_choice("--level", level, get_args(Level))
    for one in origins:
        check_choice("--origin", one, get_args(Origin))
    if sort is not None:
        check_choice("--sort", sort, get_args(WebhookSort))
    given: dict[str, Any] = {
        "name": name,
        "url": url,
        "enabled": enabled,
        "event_types": split_list(event),
        "level": level,
        "origins": origins,
        "owner_id": owner,
        "created_by_user_id": created_by,
        "updated_by_user_id": updated_by,
        "sort": sort or "-createdAt",
    }
    return WebhookQuery(**given)


def check_choice(option: str, value: str, choices: Sequence[str]) -> None:
    """Raises InvalidInput, naming the choices; those with a sign are the same field the other way round."""
    if value not in choices:
        shown = [choice for choice in choices if choice[0] not in "+-"]
        signed = " (with - in front for the reverse)" if len(shown) < len(choices) else ""
        raise InvalidInput(f"{option} {value!r} is not one of {', '.join(shown)}{signed}")


def read_pages(read: Callable[[Any], Page[Any]], query: Any, limit: int | None) -> Iterator[Any]:
    """The items of a list, page after page as they are wanted; up to `limit` of them."""
    import msgspec

    from qwebhook.store.contract import MAX_LIMIT

    left = limit
    while left is None or left > 0:
        query = msgspec.structs.replace(query, limit=MAX_LIMIT if left is None else min(left, MAX_LIMIT))
        page = read(query)
        yield from page.items
        if page.next is None:
            return
        query = msgspec.structs.replace(query, cursor=page.next)
        left = None if left is None else left - len(page.items)


class Limited:
    """The first `limit` items of a list, and afterwards whether there were more."""

    def __init__(self, read: Callable[[Any], Page[Any]], query: Any, limit: int | None) -> None:
        self._items = read_pages(read, query, None if limit is None else limit + 1)
        self._limit = limit
        self.more = False

    def __iter__(self) -> Iterator[Any]:
        for number, item in enumerate(self._items):
            if number == self._limit:
                self.more = True
                return
            yield item

    def note(self) -> str:
        """What to tell the user after the list: that it goes on; "" if it does not."""
        if not self.more:
            return ""
        shown = "this is the first" if self._limit == 1 else f"these are the first {self._limit}"
        return f"{shown}; --all shows the rest"


def check_selection(references: Sequence[str], everything: bool, filters: dict[str, Any]) -> None:
    """Raises InvalidInput for neither names nor a selection, or both."""
    if references and (everything or filters):
        raise InvalidInput("webhooks are named and selected at once", "give names, or --all and filters")
    if not references and not everything and not filters:
        raise InvalidInput("no webhook is named", "name one, or give --all or a filter")


def selected_webhooks(
    session: Session,
    references: Sequence[str],
    everything: bool,
    filters: dict[str, Any],
    missing_is_fine: bool = False,
) -> tuple[list[Webhook], int]:
    """The webhooks that are named or that the filters select, and the exit code for those that are not found.

    Raises InvalidInput for neither names nor a selection, or both.
    """
    check_selection(references, everything, filters)
    store = session.open_store()
    if not references:
        # Read to the end first: what is done to them may change which ones the filters select.
        selected = list(read_pages(store.list_webhooks, webhook_query(**filters), None))
        if not selected:
            session.note("no webhook fits the filters" if filters else "there are no webhooks")
        return selected, ExitCode.DONE
    found = Outcomes(session)
    for reference in references:
        found.attempt(reference, functools.partial(store.find_webhook, reference), missing_is_fine=missing_is_fine)
    return list({webhook.id: webhook for webhook in found.done}.values()), found.exit_code


class Outcomes:
    """What was done to each of several webhooks: goes on after a failure, and ends with the worst."""

    def __init__(self, session: Session, exit_code: int = ExitCode.DONE) -> None:
        self._session = session
        self.exit_code = int(exit_code)
        self.done: list[Any] = []

    def attempt(self, reference: str, action: Callable[[], Any], *, missing_is_fine: bool = False) -> None:
        """Do it; a failure is told on stderr with the webhook it is about."""
        try:
            self.done.append(action())
        except NotFound as error:
            if not missing_is_fine:
                self._failed(reference, error)
        except QwebhookError as error:
            self._failed(reference, error)

    def _failed(self, reference: str, error: QwebhookError) -> None:
        # As a word of its own: a short name is part of most messages.
        named = re.search(rf"(?<!\w){re.escape(reference)}(?!\w)", error.message)
        self._session.error(str(error) if named else f"{reference}: {error}")
        self.exit_code = max(self.exit_code, error.exit_code)
