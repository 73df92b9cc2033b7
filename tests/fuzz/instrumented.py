"""One target, fuzzed in this process, which libFuzzer then ends: `python -m tests.fuzz.instrumented TARGET SECONDS`."""

from __future__ import annotations

import sys
from pathlib import Path

import atheris

# Before the target is imported: of all that is loaded, only this is looked into, or the start takes a minute.
with atheris.instrument_imports(include=["qwebhook"]):
    from tests.fuzz.targets import SEEDS, TARGETS

KEPT = Path(".fuzz")


def main(name: str, seconds: str) -> None:
    """What it finds is kept in `.fuzz/TARGET`, beside the seeds."""
    corpus = KEPT / name
    corpus.mkdir(parents=True, exist_ok=True)
    for number, seed in enumerate(SEEDS[name]):
        (corpus / f"seed-{number}").write_bytes(seed)
    options = [f"-max_total_time={seconds}", "-max_len=4096", "-timeout=10", f"-artifact_prefix={KEPT}/{name}."]
    atheris.Setup([sys.argv[0], *options, "-print_final_stats=1", str(corpus)], TARGETS[name])
    atheris.Fuzz()


main(*sys.argv[1:])
