"""`exec:COMMAND`: a command that is given the event, without a shell, and without the server's own environment."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import os
import secrets
import shlex
import signal
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, cast

import msgspec

from qwebhook.deliver.request import PreparedRequest, message_id, rendered
from qwebhook.deliver.targets import settled
from qwebhook.model.delivery import Exchange, Settled
from qwebhook.model.endpoint import Endpoint

if TYPE_CHECKING:
    from qwebhook.render.message import Names

TIMEOUT_SECONDS = 15.0
# Of each stream; what goes beyond is read, so that the command does not stop, and dropped.
KEPT_LIMIT = 16 << 10
TRY_AGAIN = 75  # sysexits.h: EX_TEMPFAIL
# Between asking a command to end and ending it; and for its pipes, which a child of its own may hold open.
GRACE_SECONDS = 2.0
# For the pipes of what has just been ended.
CLOSING_SECONDS = 0.5
# Tells the processes of one run from all others.
RUN_VARIABLE = "QWEBHOOK_RUN"
# For processes that start others faster than they are ended.
MOST_LOOKS, PAUSE_SECONDS = 50, 0.01
# Why a command cannot be run that will not be otherwise by itself, as a lack of memory or of descriptors will.
_LASTING = frozenset(
    [
        errno.E2BIG,
        errno.EACCES,
        errno.EISDIR,
        errno.ELOOP,
        errno.ENAMETOOLONG,
        errno.ENOEXEC,
        errno.ENOTDIR,
        errno.EPERM,
    ]
)
_PASSED_ON = ("PATH", "HOME", "LANG", "LC_ALL", "TZ", "TMPDIR")


def prepare(
    endpoint: Endpoint, key: bytes, event_type: str, body: bytes, test: bool, names: Names | None = None
) -> PreparedRequest:
    """The command line as `url`, its variables as headers, and what it reads. Raises RenderFailed."""
    webhook = endpoint.webhook
    body, _ = rendered(endpoint, event_type, body, names)
    variables = {
        "QWEBHOOK_EVENT_TYPE": event_type,
        "QWEBHOOK_MESSAGE_ID": message_id(key, webhook.id),
        "QWEBHOOK_WEBHOOK_ID": webhook.id,
        "QWEBHOOK_WEBHOOK_NAME": webhook.name,
    }
    if test:
        variables["QWEBHOOK_TEST"] = "true"
    return PreparedRequest(webhook.url, variables, variables, body, method="RUN")


async def send(endpoint: Endpoint, prepared: PreparedRequest) -> Exchange:
    """Run the command, and say how it ended."""
    seconds = endpoint.webhook.qwebhook.timeout or TIMEOUT_SECONDS
    started_at, start = time.time_ns() // 1_000_000, time.perf_counter()
    # What is on record stays the event's own body, which is kept once.
    given = msgspec.structs.replace(prepared, body=_in_lines(endpoint, prepared.body))
    result = await _run(shlex.split(prepared.url.partition(":")[2]), given, seconds)
    return settled(prepared, result, started_at, (time.perf_counter() - start) * 1000)


def _in_lines(endpoint: Endpoint, body: bytes) -> bytes:
    """What a command reads: an event as one line, and what a template makes of it with the end of its last line.

    In JSON, line ends stand between its parts only, where any other space does as well.
    """
    settings = endpoint.webhook.qwebhook
    if settings.template is None and settings.preset is None:
        body = body.rstrip().replace(b"\r", b" ").replace(b"\n", b" ")
    return body if body.endswith(b"\n") else body + b"\n"


class _Running(asyncio.SubprocessProtocol):
    """A command that runs. exited: it has ended. closed: nobody has its outputs open any more, which a child of its own
    may keep so for as long as it likes. outputs: the start of each.
    """

    def __init__(self) -> None:
        loop = asyncio.get_running_loop()
        self.exited: asyncio.Future[None] = loop.create_future()
        self.closed: asyncio.Future[None] = loop.create_future()
        self.outputs = {1: b"", 2: b""}
        self._open = set(self.outputs)

    def pipe_data_received(self, fd: int, data: bytes) -> None:
        self.outputs[fd] += data[: KEPT_LIMIT - len(self.outputs[fd])]

    def pipe_connection_lost(self, fd: int, exc: Exception | None) -> None:
        # A command need not read what it is given.
        self._open.discard(fd)
        if not self._open and not self.closed.done():
            self.closed.set_result(None)

    def process_exited(self) -> None:
        if not self.exited.done():
            self.exited.set_result(None)


async def _run(argv: list[str], prepared: PreparedRequest, seconds: float) -> Settled:
    environment = {name: os.environ[name] for name in _PASSED_ON if name in os.environ} | prepared.headers
    mark = environment[RUN_VARIABLE] = secrets.token_hex(16)
    pipe = asyncio.subprocess.PIPE
    try:
        transport, running = await asyncio.get_running_loop().subprocess_exec(
            _Running, *argv, stdin=pipe, stdout=pipe, stderr=pipe, env=environment, start_new_session=True
        )
    except OSError as error:
        return _not_run(argv[0], error)
    except ValueError as error:
        return Settled("never", f"{argv[0]} cannot be run: {error}")
    stdin = cast("asyncio.WriteTransport", transport.get_pipe_transport(0))
    pid, by_itself = transport.get_pid(), False
    try:
        # A command need not read it, and may have ended by now, for which uvloop raises a RuntimeError.
        with contextlib.suppress(RuntimeError, OSError):
            stdin.write(prepared.body)
            stdin.close()
        await asyncio.wait([running.exited], timeout=seconds)
        by_itself = running.exited.done()
        if by_itself:
            # At once: later, the number could be that of another group.
            _kill(pid, signal.SIGKILL)
            await asyncio.wait([running.closed], timeout=GRACE_SECONDS)
        else:
            await _end(pid, running)
    finally:
        # Whatever it has started goes with it, also when the server stops.
        if not running.exited.done():
            _kill(pid, signal.SIGKILL)
        try:
            if not by_itself:
                await asyncio.to_thread(_kill_escaped, mark)
            await asyncio.wait([running.exited, running.closed], timeout=CLOSING_SECONDS)
        finally:
            # What is left behind may hold the other ends, and ours are not to wait for it.
            if stdin.get_write_buffer_size():
                stdin.abort()
            transport.close()
    timed_out = None if by_itself else seconds
    return _judged(argv[0], transport.get_returncode() or 0, running.outputs[1], running.outputs[2], timed_out)


def _not_run(command: str, error: OSError) -> Settled:
    if isinstance(error, FileNotFoundError):
        if "/" in command and os.path.exists(command):  # noqa: PTH110 which raises nothing
            return Settled("never", f"{command} cannot be run: what its first line names is not there")
        return Settled("never", f"there is no command {command}")
    words = f"{command} cannot be run: {(error.strerror or str(error)).lower()}"
    return Settled("never" if error.errno in _LASTING else "again", words)


def _judged(command: str, code: int, output: bytes, errors: bytes, timed_out: float | None) -> Settled:
    said = output.decode("utf-8", "replace")
    if errors:
        said += f"\n[stderr]\n{errors.decode('utf-8', 'replace')}"
    last = next((line for line in reversed(errors.decode("utf-8", "replace").splitlines()) if line.strip()), "")
    why = f": {last[:200]}" if last else ""
    if timed_out is not None:
        return Settled("again", f"{command} was ended after {timed_out:g} s{why}", None, said)
    if code == 0:
        return Settled("done", "exit code 0", code, said)
    if code == TRY_AGAIN:
        return Settled("again", f"exit code {code}, which asks for another attempt{why}", code, said)
    if code < 0:
        named = {one.value: one.name for one in signal.Signals}
        name = named.get(-code, f"signal {-code}")
        return Settled("again", f"{command} was ended by {name}{why}", code, said)
    return Settled("never", f"exit code {code}{why}", code, said)


async def _end(pid: int, running: _Running) -> None:
    _kill(pid, signal.SIGTERM)
    await asyncio.wait([running.exited], timeout=GRACE_SECONDS)
    _kill(pid, signal.SIGKILL)
    await running.exited


def _kill(pid: int, number: int) -> None:
    """Signal the command and what it has started, but for what has left its group."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(pid, number)


def _kill_escaped(mark: str) -> None:
    """End what has left the group of a command (`setsid`), by the variable that all that it has started has.

    Where there is no /proc, nobody can tell.
    """
    if sys.platform != "linux":
        return
    wanted = f"{RUN_VARIABLE}={mark}".encode()
    for _ in range(MOST_LOOKS):  # what is found may have started others meanwhile
        found = False
        for folder in Path("/proc").iterdir():
            if folder.name.isdecimal() and _has_variable(folder, wanted):
                found = _kill_marked(folder, wanted) or found
        if not found:
            return
        time.sleep(PAUSE_SECONDS)


def _has_variable(folder: Path, wanted: bytes) -> bool:
    try:
        return wanted in (folder / "environ").read_bytes().split(b"\0")
    except OSError:  # of another user, or ended
        return False


def _kill_marked(folder: Path, wanted: bytes) -> bool:
    """Whether there was such a process. A pid may be another's by now; what a descriptor refers to is not."""
    try:
        descriptor = os.pidfd_open(int(folder.name))
    except OSError:
        return False
    try:
        if not _has_variable(folder, wanted):
            return False
        signal.pidfd_send_signal(descriptor, signal.SIGKILL)
        return True
    except OSError:
        return False
    finally:
        os.close(descriptor)
