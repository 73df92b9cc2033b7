"""The stand-in by hand: says where it is and what lets one in, and answers until it is interrupted.

python -m tests.tenant --port 8790 --webhooks 5 --events 1000
"""

from __future__ import annotations

import argparse
import signal
import threading
from datetime import timedelta

from tests.tenant.tenant import Tenant


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.tenant", description="A stand-in for a Qlik Cloud tenant.")
    parser.add_argument("--port", type=int, default=0, help="0, the default, for a free one")
    parser.add_argument("--webhooks", type=int, default=0, help="how many there are to begin with")
    parser.add_argument("--events", type=int, default=0, help="how many are in the audit log, one a second until now")
    parser.add_argument("--limit", action="store_true", help="keep the service's rate limits")
    parser.add_argument("--every", type=float, default=0, metavar="SECONDS", help="add an event to the log this often")
    options = parser.parse_args()

    interrupted = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: interrupted.set())
    with Tenant(options.port) as tenant:
        for _ in range(options.webhooks):
            tenant.webhooks.add(enabled=True)
        tenant.audits.add_many(options.events, apart=timedelta(seconds=1))
        if options.limit:
            tenant.rate.limit(reads=5000, writes=500, window=300)
        client = tenant.access.new_client()
        print(f"url            {tenant.url}")
        print(f"admin's key    {tenant.key}")
        print(f"user's key     {tenant.access.new_key('user')}")
        print(f"client id      {client.id}")
        print(f"client secret  {client.secret}", flush=True)
        while not interrupted.wait(options.every or None):
            print(f"event          {tenant.audits.add().event_id}", flush=True)


if __name__ == "__main__":
    main()
