"""`exec:` webhooks: real commands, and how they end."""

from __future__ import annotations

import asyncio
import json
import os
import shlex
import shutil
import signal
import sys
import time
from collections.abc import Coroutine
from pathlib import Path
from typing import Any

import pytest

from qwebhook.deliver.sender import Sender
from qwebhook.deliver.targets import Allowed, Targets, prepare
from qwebhook.model.addresses import AddressPolicy
from qwebhook.model.delivery import Dead, Delivered, Exchange, RetryAt, Settled, judge
from qwebhook.model.webhook import Settings
from tests.builders import APP_CREATED, cloud_event_body, endpoint, webhook

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="process groups and signals are POSIX's")
KEY = bytes(16)
BODY = cloud_event_body(id="e1", data={"id": "a1", "name": "Sales"})


@pytest.fixture(params=["asyncio", "uvloop"], autouse=True)
def _loop(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """A server has uvloop's, where there is one."""
    if request.param == "uvloop":
        uvloop = pytest.importorskip("uvloop")

        def run(main: Coroutine[Any, Any, Any]) -> Any:
            with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
                return runner.run(main)

        monkeypatch.setattr(asyncio, "run", run)


def url(program: str, *arguments: object) -> str:
    return "exec:" + shlex.join([sys.executable, "-c", program, *map(str, arguments)])


def run(command: str, allowed: bool = True, test: bool = False, body: bytes = BODY, **settings: Any) -> Exchange:
    async def ran() -> Exchange:
        targets = Targets(Sender(AddressPolicy([])), Allowed(commands=allowed))
        target = endpoint(webhook(url=command, qwebhook=Settings(**settings)))
        try:
            prepared = prepare(target, KEY, APP_CREATED, body, 0, test)
            return await asyncio.wait_for(targets.send(target, prepared), 20)
        finally:
            await targets.close()

    return asyncio.run(ran())


def settled(command: str, **settings: Any) -> Settled:
    result = run(command, **settings).result
    assert isinstance(result, Settled), result
    return result


def test_a_command_gets_the_event_and_a_few_variables(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("QWEBHOOK_KEY", "secret")
    monkeypatch.setenv("OTHER", "secret")
    seen = tmp_path / "seen.json"
    program = (
        "import json, os, sys; json.dump({'body': sys.stdin.read(), 'env': dict(os.environ), 'argv': sys.argv[1:]},"
        f" open({str(seen)!r}, 'w')); print('done')"
    )
    exchange = run(url(program, "a b", "$HOME", ";ls"), test=True)
    assert exchange.result == Settled("done", "exit code 0", 0, "done\n")
    got = json.loads(seen.read_text())
    assert got["body"].encode() == BODY + b"\n"
    assert exchange.body == BODY
    assert got["argv"] == ["a b", "$HOME", ";ls"]  # no shell has seen them
    assert got["env"]["QWEBHOOK_EVENT_TYPE"] == APP_CREATED
    assert got["env"]["QWEBHOOK_TEST"] == "true"
    assert got["env"]["QWEBHOOK_MESSAGE_ID"].startswith("msg_")
    assert got["env"].keys() & {"QWEBHOOK_KEY", "OTHER"} == set()


def test_it_reads_lines(tmp_path: Path) -> None:
    kept = tmp_path / "kept"
    program = f"import sys; open({str(kept)!r}, 'ab').write(sys.stdin.buffer.read())"
    many_lines = json.dumps(json.loads(BODY), indent=2).replace("\n", "\r\n").encode() + b"\n"
    for body in (BODY, many_lines):
        exchange = run(url(program), body=body)
        assert exchange.body is body  # which is on record already, with its event
    run(url(program), template='{"app": "{{ data.name }}"}')
    run(url(program), template="{{ data.name }}\nis there\n\n")
    lines = kept.read_text().splitlines(keepends=True)
    assert [json.loads(line) for line in lines[:3]] == [json.loads(BODY), json.loads(BODY), {"app": "Sales"}]
    assert lines[3:] == ["Sales\n", "is there\n"]


@pytest.mark.parametrize(
    ("program", "verdict", "words"),
    [
        ("import sys; sys.exit(75)", "again", "exit code 75, which asks for another attempt"),
        ("import sys; sys.exit('no such user')", "never", "exit code 1: no such user"),
        ("import sys; sys.exit(3)", "never", "exit code 3"),
        ("import os, signal; os.kill(os.getpid(), signal.SIGKILL)", "again", f"{sys.executable} was ended by SIGKILL"),
        pytest.param(
            "import os; os.kill(os.getpid(), 40)",
            "again",
            f"{sys.executable} was ended by signal 40",
            marks=pytest.mark.skipif(sys.platform != "linux", reason="others have no signals without a name"),
        ),
    ],
)
def test_how_it_ended_decides(program: str, verdict: str, words: str) -> None:
    result = settled(url(program))
    assert (result.verdict, result.words) == (verdict, words)
    outcome = judge(result, 1, 0, 0.5)
    assert isinstance(outcome, RetryAt if verdict == "again" else Dead)


@pytest.mark.parametrize("command", ["exec:/nowhere/command", "exec:no-such-command-anywhere"])
def test_a_command_that_is_not_there(command: str) -> None:
    result = settled(command)
    assert (result.verdict, "there is no command" in result.words) == ("never", True)


def test_a_file_that_is_no_command(tmp_path: Path) -> None:
    (tmp_path / "data").write_text("no command")
    result = settled(f"exec:{tmp_path}/data")
    assert result.verdict == "never"
    assert "cannot be run: permission denied" in result.words
    (tmp_path / "data").chmod(0o700)
    assert settled(f"exec:{tmp_path}/data").verdict == "never"
    assert settled(f"exec:{tmp_path}/data/command").verdict == "never"


@pytest.mark.skipif(sys.platform != "linux", reason="others run what is being written")
def test_a_command_that_is_being_replaced_is_run_later(tmp_path: Path) -> None:
    command = tmp_path / "command"
    with command.open("w") as file:
        file.write("#!/bin/sh\n")
        command.chmod(0o700)
        result = settled(f"exec:{command}")
        assert (result.verdict, result.words) == ("again", f"{command} cannot be run: text file busy")
    assert settled(f"exec:{command}").verdict == "done"


def test_a_script_for_a_program_that_is_not_there(tmp_path: Path) -> None:
    script = tmp_path / "script"
    script.write_text("#!/nowhere/python\n")
    script.chmod(0o755)
    assert settled(f"exec:{script}") == Settled(
        "never", f"{script} cannot be run: what its first line names is not there"
    )


def test_what_keeps_a_command_from_being_run_for_a_moment_is_no_fault_of_the_event(tmp_path: Path) -> None:
    """Somebody writes a new version of it; so it is with a lack of memory, of processes, of descriptors."""
    program = tmp_path / "program"
    shutil.copy("/bin/true", program)
    with program.open("ab"):
        assert settled(f"exec:{program}") == Settled("again", f"{program} cannot be run: text file busy")
    assert settled(f"exec:{program}").verdict == "done"


def test_a_command_that_hangs_is_ended_with_all_that_it_has_started(tmp_path: Path) -> None:
    pids = tmp_path / "pids"
    program = (
        "import os, signal, subprocess, sys, time; signal.signal(signal.SIGTERM, signal.SIG_IGN)\n"
        "child = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(60)'])\n"
        f"open({str(pids)!r}, 'w').write(f'{{os.getpid()}} {{child.pid}}'); time.sleep(60)"
    )
    result = settled(url(program), timeout=1)
    assert (result.verdict, "was ended after 1 s" in result.words) == ("again", True)
    for pid in map(int, pids.read_text().split()):
        wait_until_gone(pid)


def gone(pid: int) -> bool:
    """Whether a process has ended; one that nobody has asked about since is a zombie."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except FileNotFoundError:
        return True


def wait_until_gone(pid: int) -> None:
    deadline = time.monotonic() + 5
    while not gone(pid):
        assert time.monotonic() < deadline, "it is still there"
        time.sleep(0.01)


# What gets out of a process group: a session of its own, with or without the parent that made it.
ESCAPES = {
    "setsid": "subprocess.Popen([sys.executable, '-c', program], start_new_session=True)",
    "daemon": "os.fork() or (os.setsid(), os.fork() and os._exit(0), os.execv(sys.executable, ['x', '-c', program]))",
}


def escaping(pid_file: Path, how: str, then: str) -> str:
    """A command of which a part escapes that writes its pid, and keeps the outputs open."""
    program = (
        f"import os, time; open({str(pid_file)!r}, 'w').write(str(os.getpid())); print('y', flush=True); time.sleep(60)"
    )
    written = f"os.path.exists({str(pid_file)!r}) and os.path.getsize({str(pid_file)!r})"
    return url(
        f"import os, subprocess, sys, time; program = sys.argv[1]; print('x', flush=True); {ESCAPES[how]}\n"
        f"while not ({written}): time.sleep(0.01)\n{then}",
        program,
    )


@pytest.mark.skipif(sys.platform != "linux", reason="there is no /proc")
@pytest.mark.parametrize("how", ESCAPES)
def test_what_has_left_the_group_of_a_command_that_hangs_is_ended_with_it(tmp_path: Path, how: str) -> None:
    pid_file, start = tmp_path / "pid", time.monotonic()
    result = settled(escaping(pid_file, how, "time.sleep(60)"), timeout=2)
    assert (result.verdict, "was ended after 2 s" in result.words) == ("again", True)
    assert time.monotonic() - start < 15
    wait_until_gone(int(pid_file.read_text()))


@pytest.mark.skipif(sys.platform != "linux", reason="there is no /proc")
@pytest.mark.parametrize("how", ESCAPES)
def test_what_a_command_leaves_behind_holds_nobody_up_and_no_pipe_open(tmp_path: Path, how: str) -> None:
    pid_file, start = tmp_path / "pid", time.monotonic()
    target = endpoint(webhook(url=escaping(pid_file, how, "")))

    async def ran() -> None:
        targets = Targets(Sender(AddressPolicy([])), Allowed(commands=True))
        first = endpoint(webhook(url="exec:true"))  # with it, the loop opens what it keeps for all
        await targets.send(first, prepare(first, KEY, APP_CREATED, BODY, 0))
        before = len(os.listdir("/proc/self/fd"))
        result = (await targets.send(target, prepare(target, KEY, APP_CREATED, BODY, 0))).result
        assert isinstance(result, Settled)
        assert (result.verdict, result.output) == ("done", "x\ny\n")
        deadline = time.monotonic() + 5
        while len(os.listdir("/proc/self/fd")) > before:
            assert time.monotonic() < deadline, "a pipe is still open"
            await asyncio.sleep(0)
        await targets.close()

    try:
        asyncio.run(ran())
        assert time.monotonic() - start < 15
        assert not gone(int(pid_file.read_text()))  # a daemon that it has started is meant to stay
    finally:
        os.kill(int(pid_file.read_text()), signal.SIGKILL)


def test_a_child_that_keeps_the_pipes_open_holds_nobody_up() -> None:
    program = (
        "import subprocess, sys; subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(60)']); print('x')"
    )
    start = time.monotonic()
    assert settled(url(program)).verdict == "done"
    assert time.monotonic() - start < 15


def test_a_command_that_floods_is_kept_within_bounds() -> None:
    program = "import sys; sys.stdout.write('o' * 5_000_000); sys.stderr.write('e' * 5_000_000)"
    result = settled(url(program))
    assert result.verdict == "done"
    assert len(result.output) < 40_000


def test_a_command_that_does_not_read_what_it_is_given() -> None:
    assert settled(url("import os; os.close(0)")).verdict == "done"


def test_one_that_has_ended_before_it_is_given_anything() -> None:
    """It is a race, which uvloop loses every other time."""
    for _ in range(20):
        assert settled("exec:true") == Settled("done", "exit code 0", 0, "")
        assert settled("exec:false").verdict == "never"


def test_without_the_option_nothing_is_run(tmp_path: Path) -> None:
    marker = tmp_path / "ran"
    result = settled(url(f"open({str(marker)!r}, 'w')"), allowed=False)
    assert result == Settled("again", "commands are run with --allow-exec only")
    assert not marker.exists()


def test_a_stop_ends_the_command(tmp_path: Path) -> None:
    pid_file = tmp_path / "pid"
    program = f"import os, time; open({str(pid_file)!r}, 'w').write(str(os.getpid())); time.sleep(60)"

    async def stopped() -> None:
        targets = Targets(Sender(AddressPolicy([])), Allowed(commands=True))
        target = endpoint(webhook(url=url(program)))
        sending = asyncio.create_task(targets.send(target, prepare(target, KEY, APP_CREATED, BODY, 0)))
        while not (pid_file.exists() and pid_file.read_text()):  # noqa: ASYNC110
            await asyncio.sleep(0.01)
        sending.cancel()
        await asyncio.gather(sending, return_exceptions=True)
        await targets.close()

    asyncio.run(asyncio.wait_for(stopped(), 20))
    with pytest.raises(ProcessLookupError):
        for _ in range(500):
            os.kill(int(pid_file.read_text()), 0)
            time.sleep(0.01)


def test_a_done_one_is_delivered() -> None:
    assert judge(Settled("done", "exit code 0", 0), 1, 0, 0.5) == Delivered()
