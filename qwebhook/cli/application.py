"""The table of commands. A command's module is imported when the command is run, and no other's.

A module under `qwebhook.cli.commands` exposes `app`, a `typer.Typer(add_completion=False)`: with one command, that
is the command; with a callback, it is a group such as `token`. At import it needs typer and nothing of the core.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from typer import Exit
from typer.core import TyperOption

from qwebhook.cli.commandline import GLOBAL_PANEL, Command, Group
from qwebhook.cli.session import PROGRAM, Session, session_of

if TYPE_CHECKING:
    from typer._click import Command as ClickCommand
    from typer._click import Context, HelpFormatter, Parameter


class Entry(NamedTuple):
    """A command in the table. summary: the first sentence of its help, so that `--help` need not import it."""

    section: str
    summary: str


WEBHOOKS, EVENTS, SERVER, OTHER = "Webhooks", "Events and deliveries", "Server", "Other"
COMMANDS = {
    "create": Entry(WEBHOOKS, "Make a webhook."),
    "list": Entry(WEBHOOKS, "List webhooks."),
    "get": Entry(WEBHOOKS, "Show a webhook."),
    "update": Entry(WEBHOOKS, "Change what is named of a webhook."),
    "enable": Entry(WEBHOOKS, "Enable webhooks."),
    "disable": Entry(WEBHOOKS, "Disable webhooks."),
    "delete": Entry(WEBHOOKS, "Delete webhooks."),
    "rotate-secret": Entry(WEBHOOKS, "Give a webhook a new secret, while the present one signs for some time, too."),
    "preview": Entry(WEBHOOKS, "Show what would be sent to a webhook, without sending it."),
    "test-fire": Entry(WEBHOOKS, "Send a realistic, signed test event to webhooks, and say what they answered."),
    "event-types": Entry(EVENTS, "Show the known event types, or one of them."),
    "publish": Entry(EVENTS, "Hand events to a server, or to a database store."),
    "deliveries": Entry(EVENTS, "List deliveries, the latest first."),
    "delivery": Entry(EVENTS, "Show a delivery with its request, response and attempts."),
    "resend": Entry(EVENTS, "Send deliveries again, each once and at once."),
    "replay": Entry(EVENTS, "Deliver past events again that have no success on record."),
    "listen": Entry(EVENTS, "Relay a tenant's events to a local address, for development."),
    "sign": Entry(EVENTS, "Print the signature headers of a body."),
    "verify": Entry(EVENTS, "Check the signature of a body."),
    "serve": Entry(SERVER, "Take events in at POST /events, and deliver them."),
    "token": Entry(SERVER, "Make, list and revoke the tokens that let clients in to the server."),
    "inbound": Entry(SERVER, "Say whose signatures let events in to the server."),
    "context": Entry(OTHER, "Name stores, with what lets you in."),
    "store": Entry(OTHER, "Care for a store."),
    "demo": Entry(OTHER, "Show the whole product at work, in less than half a minute."),
    "completion": Entry(OTHER, "Print the script that completes commands in a shell."),
    "version": Entry(OTHER, "Print the version."),
}

_NAME_WIDTH = max(map(len, COMMANDS))


class Application(Group):
    """The command `qwebhook`."""

    def list_commands(self, ctx: Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: Context, cmd_name: str) -> ClickCommand | None:
        if cmd_name not in COMMANDS:
            return None
        if cmd_name not in self.commands:
            self.commands[cmd_name] = load_command(cmd_name)
        return self.commands[cmd_name]

    def resolve_command(self, ctx: Context, args: list[str]) -> tuple[str | None, ClickCommand | None, list[str]]:
        name = args[0]
        if name not in COMMANDS and not name.startswith("-") and not ctx.resilient_parsing:
            import difflib

            close = difflib.get_close_matches(name, COMMANDS)
            meant = f", did you mean {' or '.join(close)}?" if close else ""
            ctx.fail(f"there is no command {name!r}{meant}")
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: Context, formatter: HelpFormatter) -> None:
        sections: dict[str, list[tuple[str, str]]] = {}
        for name, entry in COMMANDS.items():
            sections.setdefault(entry.section, []).append((name, entry.summary))
        for title, rows in sections.items():
            with formatter.section(title):
                # One column for all sections.
                formatter.write_dl([(f"{name:<{_NAME_WIDTH}}", summary) for name, summary in rows])

    def shell_complete(self, ctx: Context, incomplete: str) -> list[Any]:
        if incomplete.startswith("-"):
            return super().shell_complete(ctx, incomplete)
        from typer._click.shell_completion import CompletionItem

        return [
            CompletionItem(name, help=entry.summary) for name, entry in COMMANDS.items() if name.startswith(incomplete)
        ]


def load_command(name: str) -> ClickCommand:
    """Import a command's module and make its command."""
    from importlib import import_module

    from typer.main import get_command

    app = import_module(f"qwebhook.cli.commands.{name.replace('-', '_')}").app
    for info in app.registered_commands:
        info.cls = Command
    if app.registered_callback is not None:
        app.registered_callback.cls = Group
    command = get_command(app)
    command.name = name
    return command


def build() -> Application:
    """The application, with no command loaded yet."""
    return Application(
        name=PROGRAM,
        help=(
            "Webhooks for Qlik Cloud: administer them, test them, and deliver events to them.\n\n"
            "WEBHOOK in any command is an id, a name, or the beginning of an id that fits only one."
        ),
        epilog=(
            "qwebhook create reports --url https://example.com/hook --event com.qlik.v1.app.reload.finished\n"
            "qwebhook test-fire reports\n"
            "qwebhook serve"
        ),
        params=[
            TyperOption(
                param_decls=["--version"],
                is_flag=True,
                is_eager=True,
                expose_value=False,
                callback=_print_version,
                help="Print the version.",
                rich_help_panel=GLOBAL_PANEL,
            )
        ],
        context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110},
        no_args_is_help=True,
    )


def _print_version(context: Context, parameter: Parameter, value: Any) -> None:
    if value and not context.resilient_parsing:
        from qwebhook import __version__

        session_of(context).stdout.write(f"{PROGRAM} {__version__}\n")
        raise Exit(0)


__all__ = ["COMMANDS", "Application", "Session", "build", "load_command"]
