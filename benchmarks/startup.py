"""Start-up of the command line against a bare Typer app with two commands.

    python benchmarks/startup.py [--pairs 15]

Whole processes, interleaved in pairs, in the same interpreter and environment. The ratio of a pair is qwebhook's time
by the bare app's; medians are printed, as JSON with --json.
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
import time
from pathlib import Path

BARE = """
import typer

app = typer.Typer()


@app.command()
def version() -> None:
    print("bare 0.1.0")


@app.command()
def other(name: str = "x") -> None:
    print(name)


app()
"""
WEBHOOKS = 100


def seconds(argv: list[str], environment: dict[str, str]) -> float:
    """The time of one process from start to end."""
    start = time.perf_counter()
    subprocess.run(argv, env=environment, check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - start


def fill(store: str) -> None:
    """A store with a hundred webhooks."""
    from qwebhook.model.webhook import WebhookDraft
    from qwebhook.store.sqlite import SqliteStore

    made = SqliteStore.open(Path(store), create=True)
    for number in range(WEBHOOKS):
        draft = WebhookDraft(
            name=f"webhook-{number}", url=f"https://example.com/{number}", event_types=["com.qlik.v1.app.created"]
        )
        made.create_webhook(draft, "benchmark")
    made.close()


def main() -> None:
    parser = argparse.ArgumentParser(description="Start-up of the command line")
    parser.add_argument("--pairs", type=int, default=15)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as home:
        environment = {**os.environ, "HOME": home, "QWEBHOOK_STORE": f"{home}/bench.db"}
        # As installed: without cached bytecode every run would compile the program anew.
        environment.pop("PYTHONDONTWRITEBYTECODE", None)
        fill(environment["QWEBHOOK_STORE"])
        bare_file = Path(home) / "bare.py"
        bare_file.write_text(BARE)
        bare = [sys.executable, str(bare_file), "version"]
        measured = {
            "version": [sys.executable, "-m", "qwebhook", "version"],
            f"list of {WEBHOOKS}": [sys.executable, "-m", "qwebhook", "list"],
        }
        figures: dict[str, dict[str, list[float]]] = {}
        for name, argv in measured.items():
            seconds(bare, environment)
            seconds(argv, environment)
            times: dict[str, list[float]] = {"bare": [], "qwebhook": [], "ratio": []}
            for _ in range(options.pairs):
                times["bare"].append(seconds(bare, environment))
                times["qwebhook"].append(seconds(argv, environment))
                times["ratio"].append(times["qwebhook"][-1] / times["bare"][-1])
            figures[name] = times
    if options.json:
        print(json.dumps({"python": platform.python_version(), "figures": figures}))
        return
    print(f"{options.pairs} pairs, CPython {platform.python_version()}, medians:")
    for name, times in figures.items():
        medians = {kind: statistics.median(values) for kind, values in times.items()}
        print(
            f"  {name:12} {medians['qwebhook'] * 1000:6.0f} ms, bare Typer app {medians['bare'] * 1000:4.0f} ms, "
            f"ratio {medians['ratio']:.2f}"
        )


if __name__ == "__main__":
    main()
