"""A key that is asked for on a real terminal is not shown there."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from tests.acceptance.processes import Home
from tests.tenant import Tenant

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="there are no pseudo-terminals")


def test_the_key_is_asked_for_without_being_shown(tmp_path: Path) -> None:
    import pty

    home = Home(tmp_path)
    with Tenant() as tenant:
        process, terminal = pty.fork()
        if process == 0:
            arguments = home.command("context", "add", "prod", tenant.url)
            os.execve(arguments[0], arguments, home.environ)
        shown = _read_until(terminal, "API key or token: ")
        os.write(terminal, f"{tenant.key}\n".encode())
        shown += _read_until(terminal, None)
        _, status = os.waitpid(process, 0)
        os.close(terminal)
        assert os.waitstatus_to_exitcode(status) == 0, shown
        assert tenant.key not in shown
        assert "prod" in shown
        assert home.run("list", "--context", "prod").returncode == 0
    assert (tmp_path / ".config" / "qwebhook" / "contexts.toml").stat().st_mode & 0o777 == 0o600


def _read_until(terminal: int, text: str | None) -> str:
    """What the terminal shows up to a text, or to the end."""
    shown = ""
    while text is None or text not in shown:
        try:
            part = os.read(terminal, 4096)
        except OSError:  # the other end is closed
            break
        if not part:
            break
        shown += part.decode()
    return shown
