"""`qwebhook token`."""

from __future__ import annotations

from typing import Annotated, cast, get_args

import typer

from qwebhook.cli.removal import Removal, YesOption
from qwebhook.cli.results import Listing, Text
from qwebhook.cli.selection import check_choice
from qwebhook.cli.session import session_of
from qwebhook.cli.suggestions import token_names

CREATE_EXAMPLES = """
qwebhook token create ci --role publisher
qwebhook token create ann --role user --user-id 64f1c2a9d3b7e8015a6c4f20
export QWEBHOOK_TOKEN=$(qwebhook token create laptop --role admin)
"""
LIST_EXAMPLES = """
qwebhook token list
qwebhook token list -o json
"""
REVOKE_EXAMPLES = """
qwebhook token revoke ci
qwebhook token revoke ci laptop --yes --if-exists
"""
_REVOKING = Removal("token revoke", "Revoke", "revoked", "token")

app = typer.Typer(add_completion=False, no_args_is_help=True)


@app.callback()
def token() -> None:
    """Make, list and revoke the tokens that let clients in to the server."""


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
        str | None,
        typer.Option(
            "--user-id",
            metavar="ID",
            help="The user whose it is, and who is on record for its changes; role user needs one.",
        ),
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


@app.command("list", epilog=LIST_EXAMPLES)
def list_tokens(ctx: typer.Context) -> Listing:
    """List tokens: what for, of which role, and when each was last used.

    Their values are kept nowhere. Uses are written down with a delay of some seconds.
    """
    from qwebhook.cli.views import TOKENS

    return Listing(
        session_of(ctx).open_store().list_tokens(),
        TOKENS,
        if_empty="no tokens yet; `qwebhook token create` makes one",
    )


@app.command("revoke", epilog=REVOKE_EXAMPLES)
def revoke(
    ctx: typer.Context,
    tokens: Annotated[list[str], typer.Argument(metavar="TOKEN...", help="Ids or names.", autocompletion=token_names)],
    yes: YesOption = False,
    if_exists: Annotated[bool, typer.Option("--if-exists", help="A token that is not there is fine.")] = False,
) -> Listing:
    """Revoke tokens.

    A running server refuses them within a second. On a terminal it asks first; elsewhere it needs --yes.
    """
    from qwebhook.cli.removal import remove_named
    from qwebhook.cli.views import TOKENS

    session = session_of(ctx)
    store = session.open_store()
    revoked, code = remove_named(
        session, _REVOKING, tokens, store.list_tokens(), store.revoke_token, yes=yes, if_exists=if_exists
    )
    return Listing(revoked, TOKENS, exit_code=code)
