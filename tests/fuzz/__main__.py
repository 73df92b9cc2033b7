"""Looks for faults with atheris, for as long as one likes: `python -m tests.fuzz [TARGET...] [--seconds 60]`.

What it finds is kept in `.fuzz/TARGET`, and is where the next run begins. Each target runs in a process of its own, one
after the other; the exit code is 1 if one has a fault, whose input lies in `.fuzz/TARGET.crash-…`.
"""

from __future__ import annotations

import argparse
import subprocess
import sys

from tests.fuzz.targets import TARGETS


def main() -> int:
    parser = argparse.ArgumentParser(description="Look for faults with atheris")
    parser.add_argument("targets", nargs="*", choices=[*TARGETS, []], metavar="TARGET", help=", ".join(TARGETS))
    parser.add_argument("--seconds", type=int, default=60, help="for each target")
    options = parser.parse_args()
    failed = []
    for name in options.targets or TARGETS:
        argv = [sys.executable, "-m", "tests.fuzz.instrumented", name, str(options.seconds)]
        done = subprocess.run(argv, capture_output=True, text=True, check=False)
        runs = next((line.split()[-1] for line in done.stderr.splitlines() if "number_of_executed_units" in line), "?")
        print(f"{name}: {runs} runs, {'a fault' if done.returncode else 'no fault'}", flush=True)
        if done.returncode:
            failed.append(name)
            print(done.stderr[-4000:], file=sys.stderr)
    return 1 if failed else 0


sys.exit(main())
