"""The way in: `qwebhook …` and `python -m qwebhook …`."""

from __future__ import annotations

import gc

# More objects than any short command makes. Looking for cycles among them while they are made, and once more when
# the interpreter ends, costs a sixth of the run time of `qwebhook list`. A server gets there, and collects.
COLLECTION_THRESHOLD = 100_000


def main() -> int:
    """Run the command line; returns the exit code."""
    gc.set_threshold(COLLECTION_THRESHOLD)
    # Imported within, so that an interrupt during the imports is answered here and not by a traceback.
    try:
        from qwebhook.cli.entry import run

        return run()
    except KeyboardInterrupt:
        return 130
    finally:
        gc.freeze()


if __name__ == "__main__":
    raise SystemExit(main())
