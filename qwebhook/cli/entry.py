"""The boundary: runs the command line, and turns whatever comes of it into output and an exit code.

Below it code raises and never exits; beyond it there are no tracebacks, unless `--verbose` asks for them.
"""

from __future__ import annotations

import errno
import sys
from collections.abc import Sequence
from typing import Any

from typer import Abort, Exit
from typer._click.exceptions import ClickException

from qwebhook.cli.application import build
from qwebhook.cli.exit_codes import ExitCode
from qwebhook.cli.session import COMPLETE_VARIABLE, PROGRAM, Session, discard
from qwebhook.model.errors import QwebhookError

VERBOSE_HINT = "run again with --verbose to see the traceback"


def run(arguments: Sequence[str] | None = None, session: Session | None = None) -> int:
    """Run a command; returns its exit code. arguments: without the program's name, sys.argv's unless given."""
    session = session or Session()
    arguments = list(sys.argv[1:] if arguments is None else arguments)
    _never_fail_to_encode(session)
    if session.environ.get(COMPLETE_VARIABLE):
        from qwebhook.cli.shell_completion import register

        register()
    try:
        try:
            code = _run(arguments, session)
        finally:
            session.close()
        return code if _flushed(session) else code or ExitCode.FAILED
    except BrokenPipeError:
        # Whoever read our output has enough, as `head` has.
        discard(session.stdout)
        return ExitCode.DONE
    except (KeyboardInterrupt, Abort):
        return ExitCode.INTERRUPTED


def _run(arguments: list[str], session: Session) -> int:
    try:
        result = build().main(
            args=arguments,
            prog_name=PROGRAM,
            complete_var=COMPLETE_VARIABLE,
            standalone_mode=False,
            obj=session,
        )
        return _finish(result, session)
    except QwebhookError as error:
        _show_traceback(session, arguments)
        session.error(str(error))
        return error.exit_code
    except ClickException as error:
        return _usage_error(error, session)
    except Exit as end:
        return end.exit_code
    except SystemExit as end:
        # What the library of commands makes of a broken pipe while a command runs: a failure.
        if isinstance(end.__context__, BrokenPipeError):
            raise end.__context__ from None
        raise
    except (BrokenPipeError, Abort):
        raise
    except UnicodeEncodeError as error:
        _show_traceback(session, arguments)
        session.error(f"an argument or the output has characters outside {error.encoding}")
        return ExitCode.USAGE
    except OSError as error:
        _show_traceback(session, arguments)
        if error.errno == errno.ENOSPC and not error.filename:
            _give_up_output(session, error)  # unbuffered, stdout fails at once and holds nothing
        elif _flushed(session):
            place = f" ({error.filename})" if error.filename else ""
            session.error(f"{error.strerror or error}{place}; {VERBOSE_HINT}")
        return ExitCode.FAILED
    except Exception as error:
        _show_traceback(session, arguments)
        # Only the kind: the text of an unforeseen error may hold anything, a secret too.
        session.error(f"unexpected {type(error).__name__}; {VERBOSE_HINT}")
        return ExitCode.FAILED


def _finish(result: Any, session: Session) -> int:
    """Print what the command returned. An int is an exit code: typer's for `--help` and the like."""
    if result is None:
        return ExitCode.DONE
    if isinstance(result, int):
        return result
    from qwebhook.cli.rendering import render

    return render(result, session)


def _usage_error(error: ClickException, session: Session) -> int:
    context = getattr(error, "ctx", None)
    message = error.format_message().strip()
    if type(error).__name__ == "NoArgsIsHelpError":
        session.stderr.write(message + "\n")
        return ExitCode.USAGE
    path = context.command_path if context is not None else PROGRAM
    close = getattr(error, "possibilities", None)
    if close:
        import difflib

        option = getattr(error, "option_name", "")
        best = difflib.get_close_matches(option, close, 1, 0) or close
        message = f"no such option: {option}, did you mean {best[0]}?"
    message = " ".join(message.split()).rstrip(".")
    session.error(f"{message[:1].lower()}{message[1:]}; `{path} --help` shows the usage")
    return ExitCode.USAGE


def _show_traceback(session: Session, arguments: Sequence[str]) -> None:
    # The arguments are looked at too, since the error may come before they were all read.
    if session.options.verbose or "--verbose" in arguments:
        import traceback

        session.stderr.write(traceback.format_exc())


def _flushed(session: Session) -> bool:
    """Write out what stdout still holds. If that fails, as on a full disk, it is told, and the rest is dropped."""
    try:
        session.stdout.flush()
    except BrokenPipeError:
        raise
    except OSError as error:
        _give_up_output(session, error)
        return False
    return True


def _give_up_output(session: Session, error: OSError) -> None:
    discard(session.stdout)
    session.error(f"the output cannot be written: {error.strerror or error}")


def _never_fail_to_encode(session: Session) -> None:
    """In a locale that lacks a character, print its escape: a name is no reason for a command to fail."""
    reconfigure = getattr(session.stdout, "reconfigure", None)
    if reconfigure is not None:
        reconfigure(errors="backslashreplace")
