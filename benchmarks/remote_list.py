"""`qwebhook list` of a server's webhooks against a bare httpx that gets the same data.

    python benchmarks/remote_list.py [--pairs 15]

A `qwebhook serve` on loopback has 150 webhooks, which are two pages. Whole processes, interleaved in pairs, in the
same interpreter and environment: `qwebhook list --all` with a context, and `python -c` with one `httpx.get` for each
page. The ratio of a pair is qwebhook's time by the bare client's; medians are printed, as JSON with --json.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from startup import seconds

WEBHOOKS = 150
BARE = """
import httpx
headers = {{"Authorization": "Bearer {token}"}}
page = httpx.get("{url}/api/core/webhooks?limit=100", headers=headers).json()
while "next" in page["links"]:
    page = httpx.get(page["links"]["next"]["href"], headers=headers).json()
"""


def fill(store: Path) -> str:
    """A store with webhooks, and a token of its administrator."""
    from qwebhook.model.webhook import WebhookDraft
    from qwebhook.store.sqlite import SqliteStore

    made = SqliteStore.open(store, create=True)
    for number in range(WEBHOOKS):
        draft = WebhookDraft(
            name=f"webhook-{number}", url=f"https://example.com/{number}", event_types=["com.qlik.v1.app.created"]
        )
        made.create_webhook(draft, "benchmark")
    _, token = made.create_token("benchmark", "admin", None)
    made.close()
    return token


@contextmanager
def serving(store: Path, environment: dict[str, str]) -> Iterator[str]:
    """A server on the store; its URL."""
    command = [sys.executable, "-m", "qwebhook", "serve", "--store", str(store), "--port", "0", "--log-format", "json"]
    process = subprocess.Popen(command, env=environment, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL)
    assert process.stderr is not None
    try:
        lines = (json.loads(line) for line in process.stderr if line.startswith(b"{"))
        yield next(line["url"] for line in lines if line["what"] == "listening")
    finally:
        process.terminate()
        process.wait(30)


def main() -> None:
    parser = argparse.ArgumentParser(description="A list over HTTP")
    parser.add_argument("--pairs", type=int, default=15)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as home:
        environment = {name: value for name, value in os.environ.items() if not name.startswith("QWEBHOOK")}
        environment["HOME"] = home
        # As installed: without cached bytecode every run would compile the program anew.
        environment.pop("PYTHONDONTWRITEBYTECODE", None)
        store = Path(home) / "bench.db"
        token = fill(store)
        with serving(store, environment) as url:
            add = [sys.executable, "-m", "qwebhook", "context", "add", "bench", url, "--use"]
            subprocess.run(add, env=environment, input=token.encode(), check=True, stdout=subprocess.DEVNULL)
            bare = [sys.executable, "-c", BARE.format(url=url, token=token)]
            listing = [sys.executable, "-m", "qwebhook", "list", "--all"]
            times: dict[str, list[float]] = {"bare": [], "qwebhook": [], "ratio": []}
            for number in range(options.pairs + 1):
                pair = seconds(bare, environment), seconds(listing, environment)
                if number:  # the first one fills the caches
                    times["bare"].append(pair[0])
                    times["qwebhook"].append(pair[1])
                    times["ratio"].append(pair[1] / pair[0])
    if options.json:
        print(json.dumps({"python": platform.python_version(), "figures": {f"list of {WEBHOOKS}": times}}))
        return
    medians = {kind: statistics.median(values) for kind, values in times.items()}
    print(f"{options.pairs} pairs, CPython {platform.python_version()}, medians:")
    print(
        f"  list of {WEBHOOKS} over HTTP {medians['qwebhook'] * 1000:6.0f} ms, "
        f"bare httpx {medians['bare'] * 1000:4.0f} ms, ratio {medians['ratio']:.2f}"
    )


if __name__ == "__main__":
    main()
