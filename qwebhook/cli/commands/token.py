"""`qwebhook token`."""

from __future__ import annotations

from typing import Annotated, cast, get_args

import typer

from qwebhook.cli.results import Text
from qwebhook.cli.selection import check_choice
from qwebhook.cli.session import session_of

CREATE_EXAMPLES = """
qwebhook token create ci --role publisher
qwebhook token create ann --role user --user-id 64f1c2a9d3b7e8015a6c4f20
export QWEBHOOK_TOKEN=$(qwebhook token create laptop --role admin)
"""

app = typer.Typer(add_completion=False, no_args_is_help=True)


@app.callback()
def token() -> None:
    """Make tokens that let clients in to the server."""


@app.command("create", epilog=CREATE_EXAMPLES)
def create(
    ctx: typer.Context,
    name: Annotated[str, typer.Argument(metavar="NAME", help="What it is for; no two tokens share a name.")],
    role: Annotated[
        str,
        typer.Option(
            "--role",
            metavar="ROLE",
            help="admin, user (its own webhooks only), publisher (posts events) or metrics (reads metrics).",
        ),
    ],
    user_id: Annotated[
        str | None, typer.Option("--user-id", metavar="ID", help="The user of a token of role user.")
    ] = None,
) -> Text:
    """Make a token and print it, once.

    Only its digest is kept: whoever loses it makes another.
    """
    import msgspec

    from qwebhook.store.contract import Role

    check_choice("--role", role, get_args(Role))
    made, value = session_of(ctx).open_store(create=True).create_token(name, cast("Role", role), user_id)
    return Text(value, lambda: {**msgspec.to_builtins(made), "token": value})
