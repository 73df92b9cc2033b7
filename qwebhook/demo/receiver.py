"""A receiver to try webhooks with: prints each request and whether its signatures hold.

    WEBHOOK_SECRET=… python -m qwebhook.demo.receiver [--port 9000]

Every path answers 200, but for `/flaky`: there each event gets 503 and `Retry-After: 1` twice, then 200.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections import Counter
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import ClassVar

import msgspec

from qwebhook.model.signature import verify_qlik, verify_standard

SECRET_VARIABLE = "WEBHOOK_SECRET"  # noqa: S105 the name of a variable
FLAKY = "/flaky"
REFUSALS = 2


class Receiver(BaseHTTPRequestHandler):
    """Answers one connection. `refused` counts, for every event, how often the flaky path has refused it."""

    protocol_version = "HTTP/1.1"
    refused: ClassVar[Counter[str]] = Counter()

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        identifier = self.headers.get("webhook-id", "")
        status = 200
        if self.path.startswith(FLAKY) and self.refused[identifier] < REFUSALS:
            self.refused[identifier] += 1
            status = 503
        self.send_response(status)
        if status == 503:
            self.send_header("Retry-After", "1")
        self.send_header("Content-Length", "0")
        self.end_headers()
        print(f"POST {self.path} {_type(body)}: {self._verdict(body)} -> {status}", flush=True)  # noqa: T201

    def _verdict(self, body: bytes) -> str:
        secret = os.environ.get(SECRET_VARIABLE)
        if not secret:
            return f"signatures not checked, {SECRET_VARIABLE} is not set"
        wrong = verify_standard(
            [secret],
            self.headers.get("webhook-id", ""),
            self.headers.get("webhook-timestamp", ""),
            self.headers.get("webhook-signature", ""),
            body,
            time.time(),
        )
        qlik = verify_qlik([secret], body, self.headers.get("Qlik-Signature", ""))
        return f"webhook-signature {wrong or 'verified'}, Qlik-Signature {'verified' if qlik else 'wrong'}"

    def log_message(self, format: str, *_: object) -> None:
        """Nothing: the line that is printed says it all."""


def _type(body: bytes) -> str:
    try:
        event = msgspec.json.decode(body)
    except msgspec.DecodeError:
        return "no JSON"
    return str(event.get("type") or event.get("eventType")) if isinstance(event, dict) else "no event"


def main() -> None:
    """Serve until interrupted; the first line printed is the URL."""
    parser = argparse.ArgumentParser(description="A receiver to try webhooks with")
    parser.add_argument("--port", type=int, default=9000, help="0 takes a free one")
    port = parser.parse_args().port
    try:
        server = ThreadingHTTPServer(("127.0.0.1", port), Receiver)
    except OSError as error:
        sys.exit(f"cannot listen on port {port}: {error.strerror}; give another --port")
    print(f"listening on http://127.0.0.1:{server.server_port}", flush=True)  # noqa: T201
    try:
        server.serve_forever()
    except KeyboardInterrupt:
        server.server_close()


if __name__ == "__main__":
    main()
