"""What every command of the command line has: the global options, and the layout of its help.

Help is laid out here in plain text rather than by Typer's rich panels: it reads the same on a terminal, in a pipe
and in the documentation made from it, it keeps examples as they are written, and it takes a third of the time.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, get_args

from typer._types import TyperChoice
from typer.core import TyperCommand, TyperGroup, TyperOption

from qwebhook.cli.results import Format
from qwebhook.cli.session import session_of
from qwebhook.cli.suggestions import context_names

if TYPE_CHECKING:
    from typer._click import Command as ClickCommand
    from typer._click import Context, HelpFormatter, Parameter

GLOBAL_PANEL = "Global options"


def _store_in_session(context: Context, parameter: Parameter, value: Any) -> None:
    # The group and the command both have the option; one that is absent must not undo the other's.
    if value is not None and parameter.name is not None:
        setattr(session_of(context).options, parameter.name, value)


def _global_option(*names: str, **settings: Any) -> TyperOption:
    return TyperOption(
        param_decls=list(names),
        expose_value=False,
        callback=_store_in_session,
        rich_help_panel=GLOBAL_PANEL,
        default=None,
        **settings,
    )


GLOBAL_OPTIONS = [
    _global_option(
        "--store", metavar="URL", help="The store: a path, sqlite:///PATH or https://HOST. [env: QWEBHOOK_STORE]"
    ),
    _global_option(
        "--context",
        metavar="NAME",
        help="A store by its name; see `context`. [env: QWEBHOOK_CONTEXT]",
        # Called with the arguments so far, too, where it is not typer that makes the option.
        autocompletion=lambda ctx, _, incomplete: context_names(ctx),
    ),
    _global_option(
        "-o",
        "--output",
        type=TyperChoice(get_args(Format)),
        metavar="FORMAT",
        help=f"Print the result as {', '.join(get_args(Format)[:-1])} or {get_args(Format)[-1]}.",
    ),
    _global_option("-q", "--quiet", is_flag=True, help="Print ids only, and neither notes nor advice."),
    _global_option("--no-input", is_flag=True, help="Never ask anything."),
    _global_option("--verbose", is_flag=True, help="Show every request to a server, and where an error came from."),
]


class Command(TyperCommand):
    """A command with the global options beside its own."""

    def __init__(self, *arguments: Any, **settings: Any) -> None:
        settings["rich_markup_mode"] = None
        super().__init__(*arguments, **settings)
        self.params = [*self.params, *GLOBAL_OPTIONS]

    def collect_usage_pieces(self, ctx: Context) -> list[str]:
        # Without the braces that typer puts around arguments that must be given.
        return [piece.strip("{}") for piece in super().collect_usage_pieces(ctx)]

    def format_options(self, ctx: Context, formatter: HelpFormatter) -> None:
        write_options(self, ctx, formatter)

    def format_epilog(self, ctx: Context, formatter: HelpFormatter) -> None:
        write_examples(self.epilog, formatter)


class Group(TyperGroup):
    """A group of commands with the global options beside its own."""

    def __init__(self, **settings: Any) -> None:
        settings["rich_markup_mode"] = None
        super().__init__(**settings)
        self.params = [*self.params, *GLOBAL_OPTIONS]

    def format_options(self, ctx: Context, formatter: HelpFormatter) -> None:
        self.format_commands(ctx, formatter)
        write_options(self, ctx, formatter)

    def format_epilog(self, ctx: Context, formatter: HelpFormatter) -> None:
        write_examples(self.epilog, formatter)


def write_options(command: ClickCommand, context: Context, formatter: HelpFormatter) -> None:
    """The arguments, the command's own options and the global ones, each under a heading."""
    sections: dict[str, list[tuple[str, str]]] = {}
    for parameter in command.get_params(context):
        record = parameter.get_help_record(context)
        if record is None:
            continue
        heading = "Arguments" if parameter.param_type_name == "argument" else "Options"
        heading = getattr(parameter, "rich_help_panel", None) or heading
        if heading == "Options" and parameter.name == "help":
            heading = GLOBAL_PANEL
        sections.setdefault(heading, []).append(record)
    for heading in sorted(sections, key=_section_order):
        with formatter.section(heading):
            formatter.write_dl(sections[heading])


def _section_order(heading: str) -> int:
    return {"Arguments": 0, "Options": 1, GLOBAL_PANEL: 3}.get(heading, 2)


def write_examples(epilog: str | None, formatter: HelpFormatter) -> None:
    """An epilog is a list of command lines, which are written as they are."""
    if not epilog:
        return
    import inspect

    with formatter.section("Examples"):
        for line in inspect.cleandoc(epilog).splitlines():
            formatter.write(f"{'':{formatter.current_indent}}{line}\n" if line else "\n")
