"""`qwebhook context`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from qwebhook.cli.removal import Removal, YesOption
from qwebhook.cli.results import Listing, Single
from qwebhook.cli.session import session_of
from qwebhook.cli.suggestions import context_names
from qwebhook.model.errors import InvalidInput

ADD_EXAMPLES = """
qwebhook context add prod https://acme.eu.qlikcloud.com
qwebhook context add ci https://acme.eu.qlikcloud.com --key env:QLIK_API_KEY --use
qwebhook context add ci https://acme.eu.qlikcloud.com --client-id a1b2c3 --client-secret @secret.txt
qwebhook context add laptop https://acme.eu.qlikcloud.com --keyring
qwebhook context add hooks https://hooks.example.com --key-command "pass show hooks"
qwebhook context add prod --replace
"""
LIST_EXAMPLES = """
qwebhook context list
qwebhook context list -o json
"""
USE_EXAMPLES = """
qwebhook context use prod
qwebhook context use --none
"""
SHOW_EXAMPLES = """
qwebhook context show
qwebhook context show prod
"""
REMOVE_EXAMPLES = """
qwebhook context remove prod
qwebhook context remove prod ci --yes --if-exists
"""
IMPORT_EXAMPLES = """
qwebhook context import
qwebhook context import prod test --replace
qwebhook context import --from /mnt/old-home/.qlik/contexts.yml
"""
_REMOVING = Removal("context remove", "Remove", "removed", "context")

app = typer.Typer(add_completion=False, no_args_is_help=True)

NameArgument = Annotated[str, typer.Argument(metavar="NAME", help="A context.", autocompletion=context_names)]


@app.callback()
def context() -> None:
    """Name stores, with what lets you in."""


@app.command("add", epilog=ADD_EXAMPLES)
def add(
    ctx: typer.Context,
    name: Annotated[str, typer.Argument(metavar="NAME", help="What to call it.")],
    store: Annotated[
        str | None,
        typer.Argument(
            metavar="STORE",
            help="The URL of a tenant or a qwebhook server, or the path of a database.",
            show_default=False,
        ),
    ] = None,
    key: Annotated[
        str | None,
        typer.Option(
            "--key",
            metavar="WHERE",
            help="An API key or token: - for stdin or a prompt (so unless given), or @FILE or env:NAME, which are read "
            "at every use.",
        ),
    ] = None,
    key_command: Annotated[
        str | None, typer.Option("--key-command", metavar="COMMAND", help="A command that prints the key.")
    ] = None,
    client_id: Annotated[
        str | None, typer.Option("--client-id", metavar="ID", help="An OAuth client of the tenant, for machines.")
    ] = None,
    client_secret: Annotated[
        str | None,
        typer.Option("--client-secret", metavar="WHERE", help="Its secret: -, @FILE or env:NAME, as for --key."),
    ] = None,
    keyring: Annotated[
        bool, typer.Option("--keyring", help="Keep the key in the system keyring, and not in a file.")
    ] = False,
    ca_file: Annotated[
        Path | None,
        typer.Option("--ca-file", metavar="FILE", help="Trust these authorities, too (PEM).", exists=True),
    ] = None,
    webhook_secret: Annotated[
        str | None,
        typer.Option(
            "--webhook-secret",
            metavar="WHERE",
            help="What test-fire signs with, since a tenant gives no secret away: -, @FILE or env:NAME.",
        ),
    ] = None,
    use: Annotated[bool, typer.Option("--use", help="Make it the current one.")] = False,
    replace: Annotated[
        bool, typer.Option("--replace", help="Change one that is there; its store stays, unless given.")
    ] = False,
    no_check: Annotated[bool, typer.Option("--no-check", help="Do not try the credentials.")] = False,
) -> Single:
    """Name a store.

    Its URL and what lets you in are written into contexts.toml beside the configuration, which you alone can read;
    config.toml is never changed. A key is asked for without being shown, or read from stdin, and is tried before it is
    kept.
    """
    from qwebhook.cli import contexts_file
    from qwebhook.cli.context_adding import AddingOptions, new_context
    from qwebhook.cli.context_removal import forget_credentials, replaced_by
    from qwebhook.cli.context_views import CONTEXTS, shown

    session = session_of(ctx)
    given = AddingOptions(
        name, store, key, key_command, client_id, client_secret, keyring, ca_file, webhook_secret, replace
    )
    new = new_context(session, given)
    if not no_check:
        from qwebhook.cli.context_check import check_access

        check_access(session, new.with_key)
    if new.key:
        from qwebhook.cli.system_keyring import store_key

        store_key(new.context.keyring, new.key)
    before = replaced_by(session, name)
    contexts_file.add_context(new.context.file, new.context)
    if before is not None:
        forget_credentials(session, before, new.context)
    if use:
        contexts_file.use_context(new.context.file, name)
    else:
        session.note(f"give --context {name}, or `qwebhook context use {name}` makes it the current one")
    session.settings.forget()
    return Single(shown(session, new.context), CONTEXTS)


@app.command("list", epilog=LIST_EXAMPLES)
def list_contexts(ctx: typer.Context) -> Listing:
    """List contexts; the current one is used when none is named."""
    from qwebhook.cli.context_views import CONTEXTS, shown

    session = session_of(ctx)
    return Listing(
        [shown(session, one) for _, one in sorted(session.settings.contexts().items())],
        CONTEXTS,
        if_empty="no contexts yet; `qwebhook context add` makes one",
    )


@app.command("use", epilog=USE_EXAMPLES)
def use(
    ctx: typer.Context,
    name: Annotated[
        str | None, typer.Argument(metavar="NAME", help="A context.", autocompletion=context_names, show_default=False)
    ] = None,
    none: Annotated[bool, typer.Option("--none", help="Use no context, and so the default store.")] = False,
) -> Single | None:
    """Make a context the current one."""
    from qwebhook.cli.context_views import CONTEXTS, shown, tell_what_overrules
    from qwebhook.cli.contexts_file import use_context

    session = session_of(ctx)
    if (name is None) != none:
        raise InvalidInput(
            "no context is named" if name is None else "a context is named and --none is given", "give a NAME or --none"
        )
    found = session.settings.context(name) if name is not None else None
    use_context(session.settings.contexts_file, name or "")
    session.settings.forget()
    if none:
        session.note("no context is the current one; without --store or --context the default store is used")
    tell_what_overrules(session)
    return Single(shown(session, found), CONTEXTS) if found is not None else None


@app.command("show", epilog=SHOW_EXAMPLES)
def show(
    ctx: typer.Context,
    name: Annotated[
        str | None,
        typer.Argument(
            metavar="NAME",
            help="A context; what a command would use now, unless given.",
            autocompletion=context_names,
            show_default=False,
        ),
    ] = None,
) -> Listing:
    """Show what is used, and where each value came from.

    Keys and secrets are not shown.
    """
    from qwebhook.cli.context_views import VALUES, values_in_use, values_of

    session = session_of(ctx)
    return Listing(values_in_use(session) if name is None else values_of(session, name), VALUES)


@app.command("remove", epilog=REMOVE_EXAMPLES)
def remove(
    ctx: typer.Context,
    names: Annotated[list[str], typer.Argument(metavar="NAME...", help="Contexts.", autocompletion=context_names)],
    yes: YesOption = False,
    if_exists: Annotated[bool, typer.Option("--if-exists", help="A context that is not there is fine.")] = False,
) -> Listing:
    """Remove contexts, with what is kept of their credentials.

    Nothing in the stores changes. On a terminal it asks first; elsewhere it needs --yes.
    """
    from qwebhook.cli.context_removal import remove_context
    from qwebhook.cli.context_views import CONTEXTS
    from qwebhook.cli.removal import remove_named

    session = session_of(ctx)
    removed, code = remove_named(
        session,
        _REMOVING,
        names,
        list(session.settings.contexts().values()),
        lambda name: remove_context(session, name),
        yes=yes,
        if_exists=if_exists,
    )
    return Listing(removed, CONTEXTS, exit_code=code)


@app.command("import", epilog=IMPORT_EXAMPLES)
def import_contexts(
    ctx: typer.Context,
    names: Annotated[
        list[str] | None,
        typer.Argument(metavar="NAME...", help="Only these; all of them, unless given.", show_default=False),
    ] = None,
    source: Annotated[
        Path | None,
        typer.Option("--from", metavar="FILE", help="The file to read.", show_default="~/.qlik/contexts.yml"),
    ] = None,
    replace: Annotated[bool, typer.Option("--replace", help="Replace contexts of the same name.")] = False,
) -> Listing:
    """Take over the contexts of the vendor's tool.

    They are read, with their keys, from ~/.qlik/contexts.yml, or below the folder that QLIK_CLI_USER_HOME_DIR names.
    That file stays as it is. The keys are not tried: `qwebhook list --context NAME` tells whether one is valid.
    """
    from qwebhook.cli.context_views import CONTEXTS
    from qwebhook.cli.vendor_import import import_all

    session = session_of(ctx)
    imported, code = import_all(session, source, names or (), replace=replace)
    return Listing(imported, CONTEXTS, exit_code=code)
