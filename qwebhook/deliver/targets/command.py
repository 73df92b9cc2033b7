"""`exec:COMMAND`: a command that is given the event, without a shell, and without the server's own environment."""

from __future__ import annotations

import asyncio
import contextlib
import os
import shlex
import signal
import time
from typing import TYPE_CHECKING

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
    result = await _run(shlex.split(prepared.url.partition(":")[2]), prepared, seconds)
    return settled(prepared, result, started_at, (time.perf_counter() - start) * 1000)


async def _run(argv: list[str], prepared: PreparedRequest, seconds: float) -> Settled:
    environment = {name: os.environ[name] for name in _PASSED_ON if name in os.environ} | prepared.headers
    pipe = asyncio.subprocess.PIPE
    try:
        process = await asyncio.create_subprocess_exec(
            *argv, stdin=pipe, stdout=pipe, stderr=pipe, env=environment, start_new_session=True
        )
    except FileNotFoundError:
        return Settled("never", f"there is no command {argv[0]}")
    except OSError as error:
        return Settled("never", f"{argv[0]} cannot be run: {(error.strerror or str(error)).lower()}")
    except ValueError as error:
        return Settled("never", f"{argv[0]} cannot be run: {error}")
    assert process.stdin is not None
    assert process.stdout is not None
    assert process.stderr is not None
    streams = [asyncio.ensure_future(_start_of(stream)) for stream in (process.stdout, process.stderr)]
    feeding = asyncio.ensure_future(_feed(process.stdin, prepared.body))
    try:
        try:
            await asyncio.wait_for(_exit(process), seconds)
            timed_out = False
        except TimeoutError:
            timed_out = True
            await _end(process)
        await asyncio.wait(streams, timeout=GRACE_SECONDS)
    finally:
        # Whatever it has started goes with it, also when the server stops.
        _kill(process, signal.SIGKILL)
        await asyncio.wait([feeding, *streams], timeout=GRACE_SECONDS)  # until its pipes are closed
        for task in (feeding, *streams):
            task.cancel()
        await asyncio.gather(feeding, *streams, return_exceptions=True)
    outputs = [stream.result() if not stream.cancelled() and not stream.exception() else b"" for stream in streams]
    return _judged(argv[0], process.returncode or 0, outputs[0], outputs[1], seconds if timed_out else None)


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
        name = signal.Signals(-code).name if -code in signal.valid_signals() else str(-code)
        return Settled("again", f"{command} was ended by {name}{why}", code, said)
    return Settled("never", f"exit code {code}{why}", code, said)


async def _feed(stdin: asyncio.StreamWriter, body: bytes) -> None:
    # A command need not read what it is given.
    with contextlib.suppress(ConnectionError, OSError):
        stdin.write(body)
        await stdin.drain()
        stdin.close()


async def _start_of(stream: asyncio.StreamReader) -> bytes:
    kept = b""
    while part := await stream.read(KEPT_LIMIT):
        kept += part[: KEPT_LIMIT - len(kept)]
    return kept


async def _exit(process: asyncio.subprocess.Process) -> None:
    """Wait until the command itself has ended. asyncio's own `wait` goes on until its pipes are closed, which a child
    of the command may hold open for as long as it likes.
    """
    pause = 0.001
    while process.returncode is None:
        await asyncio.sleep(pause)
        pause = min(pause * 2, 0.05)


async def _end(process: asyncio.subprocess.Process) -> None:
    _kill(process, signal.SIGTERM)
    try:
        await asyncio.wait_for(_exit(process), GRACE_SECONDS)
    except TimeoutError:
        _kill(process, signal.SIGKILL)
        await _exit(process)


def _kill(process: asyncio.subprocess.Process, number: int) -> None:
    """Signal the command and all that it has started."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, number)
