"""Looks for faults with atheris, for as long as one likes: `python -m tests.fuzz [TARGET...] [--seconds 60]`.

What it finds is kept in `.fuzz/TARGET`, and is where the next run begins. Each target runs in a process of its own, one
after the other; the exit code is 1 if one has a fault, whose input lies in `.fuzz/TARGET.crash-…`.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from pathlib import Path

from tests.fuzz.targets import SEEDS, TARGETS

KEPT = Path(".fuzz")


def fuzz(name: str, seconds: int) -> None:
    """Fuzz one target in this process, which libFuzzer then ends."""
    import atheris

    corpus = KEPT / name
    corpus.mkdir(parents=True, exist_ok=True)
    for number, seed in enumerate(SEEDS[name]):
        (corpus / f"seed-{number}").write_bytes(seed)
    options = [f"-max_total_time={seconds}", "-max_len=4096", "-timeout=10", f"-artifact_prefix={KEPT}/{name}."]
    atheris.instrument_all()
    atheris.Setup([sys.argv[0], *options, "-print_final_stats=1", str(corpus)], TARGETS[name])
    atheris.Fuzz()


def main() -> int:
    parser = argparse.ArgumentParser(description="Look for faults with atheris")
    parser.add_argument("targets", nargs="*", choices=[*TARGETS, []], metavar="TARGET", help=", ".join(TARGETS))
    parser.add_argument("--seconds", type=int, default=60, help="for each target")
    parser.add_argument("--here", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.here:
        fuzz(options.targets[0], options.seconds)
        return 0
    failed = []
    for name in options.targets or TARGETS:
        argv = [sys.executable, "-m", "tests.fuzz", name, "--seconds", str(options.seconds), "--here"]
        done = subprocess.run(argv, capture_output=True, text=True, check=False)
        runs = next((line.split()[-1] for line in done.stderr.splitlines() if "number_of_executed_units" in line), "?")
        print(f"{name}: {runs} runs, {'a fault' if done.returncode else 'no fault'}", flush=True)
        if done.returncode:
            failed.append(name)
            print(done.stderr[-4000:], file=sys.stderr)
    return 1 if failed else 0


sys.exit(main())
