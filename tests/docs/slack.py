"""What answers as Slack's incoming webhooks do: `ok`, or in a word what is wrong with the message."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from slack_sdk.errors import SlackObjectFormationError
from slack_sdk.models.blocks import Block

MOST_BLOCKS = 50


class Channel:
    """What has been posted, in order. url: where Slack is. posted: told of every message."""

    def __init__(self) -> None:
        self.url = ""
        self.messages: list[dict[str, Any]] = []
        self.posted = threading.Condition()

    def wait_for(self, words: str, seconds: float = 20) -> dict[str, Any]:
        """The first message that has the words in its text."""
        with self.posted:
            assert self.posted.wait_for(lambda: self._with(words), seconds), self.messages
            return self._with(words)[0]

    def _with(self, words: str) -> list[dict[str, Any]]:
        return [message for message in self.messages if words in message["text"]]


def wrong(path: str, body: bytes) -> tuple[int, str] | None:
    """The status and the word of a refusal; None for a message that Slack would take."""
    if not path.startswith("/services/T000/B000/"):
        return 404, "no_service"
    try:
        message = json.loads(body)
    except ValueError:
        return 400, "invalid_payload"
    if not isinstance(message, dict) or not message.get("text"):
        return 400, "no_text"
    blocks = message.get("blocks", [])
    try:
        parsed = [Block.parse(one) for one in blocks]
        for block in parsed:
            assert block is not None
            block.validate_json()  # Slack's own limits and required members
    except (SlackObjectFormationError, AssertionError):
        return 400, "invalid_blocks"
    return (400, "invalid_blocks") if len(parsed) > MOST_BLOCKS else None


@contextmanager
def channel() -> Iterator[Channel]:
    kept = Channel()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            status, word = wrong(self.path, body) or (200, "ok")
            self.send_response(status)
            self.send_header("Content-Type", "text/html")
            self.send_header("Content-Length", str(len(word)))
            self.end_headers()
            self.wfile.write(word.encode())
            if status == 200:
                with kept.posted:
                    kept.messages.append(json.loads(body))
                    kept.posted.notify_all()

        def log_message(self, format: str, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    kept.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield kept
    finally:
        server.shutdown()
        server.server_close()
        thread.join(5)
