"""A stand-in for Google's Sheets API v4 and its token endpoint: it takes the requests that Google takes, and no others.

Shapes after the reference of `spreadsheets.batchUpdate`, `spreadsheets.get` and `spreadsheets.values.get`.
"""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

TOKEN = "token-of-the-stand-in"
WIDTH, HEIGHT = 26, 1000


class Refused(Exception):
    """What Google would answer with an error. status: HTTP's."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


class Google:
    """Spreadsheets by id, each of sheets by title. fail: the status of the next answers; requests: the batches."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.books: dict[str, dict[str, dict[str, Any]]] = {"book": {}}
        self.batches: list[list[dict[str, Any]]] = []
        self.fail = 0
        self.add("book", "Users")

    def add(self, book: str, title: str) -> dict[str, Any]:
        properties = {
            "sheetId": 100 + len(self.books[book]),
            "title": title,
            "gridProperties": {"columnCount": WIDTH, "rowCount": HEIGHT},
        }
        self.books[book][title] = {"properties": properties, "rows": []}
        return properties

    def rows(self, title: str = "Users") -> list[list[Any]]:
        """As `values.get` gives them: without empty cells and rows at an end."""
        rows = [list(row) for row in self.books["book"][title]["rows"]]
        for row in rows:
            while row and row[-1] is None:
                row.pop()
        while rows and not rows[-1]:
            rows.pop()
        return [["" if cell is None else cell for cell in row] for row in rows]

    def get(self, path: str, query: dict[str, list[str]]) -> Any:
        book, _, rest = path.partition("/")
        if book not in self.books:
            raise Refused(404, "Requested entity was not found.")
        if not rest:
            assert query["fields"][0].startswith("sheets.properties(")
            return {"sheets": [{"properties": sheet["properties"]} for sheet in self.books[book].values()]}
        place = re.fullmatch(r"values/'(.+)'", unquote(rest))
        assert place, rest
        assert query["valueRenderOption"] == ["UNFORMATTED_VALUE"]
        rows = self.rows(place[1].replace("''", "'"))
        return {"range": place[1], "majorDimension": "ROWS", **({"values": rows} if rows else {})}

    def post(self, path: str, body: Any) -> Any:
        book, _, verb = path.partition(":")
        if book not in self.books:
            raise Refused(404, "Requested entity was not found.")
        assert (verb, list(body)) == ("batchUpdate", ["requests"])
        self.batches.append(body["requests"])
        before = json.loads(json.dumps(self.books[book]))
        try:
            return {"spreadsheetId": book, "replies": [self._one(book, request) for request in body["requests"]]}
        except Refused:
            self.books[book] = before  # all or nothing
            raise

    def _one(self, book: str, request: dict[str, Any]) -> dict[str, Any]:
        ((kind, given),) = request.items()
        if kind == "addSheet":
            assert list(given["properties"]) == ["title"]
            return {"addSheet": {"properties": self.add(book, given["properties"]["title"])}}
        place = given.get("range") or given.get("start") or given
        sheet = next(one for one in self.books[book].values() if one["properties"]["sheetId"] == place["sheetId"])
        grid, rows = sheet["properties"]["gridProperties"], sheet["rows"]
        if kind == "appendDimension":
            assert (sorted(given), given["dimension"]) == (["dimension", "length", "sheetId"], "COLUMNS")
            grid["columnCount"] += given["length"]
        elif kind == "updateCells":
            assert sorted(given) == ["fields", "rows", "start"]
            self._set(rows, grid, place["rowIndex"], place["columnIndex"], given)
        elif kind == "appendCells":
            assert sorted(given) == ["fields", "rows", "sheetId"]
            last = max(
                (number for number, row in enumerate(rows, 1) if any(cell is not None for cell in row)), default=0
            )
            grid["rowCount"] = max(grid["rowCount"], last + len(given["rows"]))
            self._set(rows, grid, last, 0, given)
        elif kind == "deleteDimension":
            assert place["dimension"] == "ROWS"
            if place["endIndex"] > grid["rowCount"]:
                raise Refused(400, "Cannot delete a row that doesn't exist")
            del rows[place["startIndex"] : place["endIndex"]]
            grid["rowCount"] -= place["endIndex"] - place["startIndex"]
        else:
            raise Refused(400, f"Unknown name {kind!r}")
        return {}

    def _set(self, rows: list[list[Any]], grid: dict[str, int], row: int, column: int, given: dict[str, Any]) -> None:
        assert given["fields"] == "userEnteredValue"
        for number, line in enumerate(given["rows"], row):
            if number >= grid["rowCount"] or column + len(line["values"]) > grid["columnCount"]:
                raise Refused(400, "Attempting to write column beyond the grid")
            rows.extend([] for _ in range(number + 1 - len(rows)))
            rows[number].extend([None] * (column + len(line["values"]) - len(rows[number])))
            for at, cell in enumerate(line["values"], column):
                value = cell.get("userEnteredValue")
                if value is None:
                    rows[number][at] = None
                    continue
                ((kind, content),) = value.items()
                assert isinstance(content, {"stringValue": str, "numberValue": int | float, "boolValue": bool}[kind])
                rows[number][at] = content


@contextmanager
def google() -> Iterator[Google]:
    """The stand-in, listening on loopback."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            self._answer(lambda path, query: stand_in.get(path, query))

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            if self.path == "/token":
                assert b"grant_type=urn%3Aietf%3Aparams%3Aoauth%3Agrant-type%3Ajwt-bearer" in body
                self._send(200, {"access_token": TOKEN, "expires_in": 3600, "token_type": "Bearer"})
                return
            self._answer(lambda path, _: stand_in.post(path, json.loads(body)))

        def _answer(self, make: Any) -> None:
            parts = urlsplit(self.path)
            assert parts.path.startswith("/v4/spreadsheets/")
            try:
                if self.headers["Authorization"] != f"Bearer {TOKEN}":
                    raise Refused(401, "Request had invalid authentication credentials.")
                if stand_in.fail:
                    raise Refused(stand_in.fail, "The caller does not have permission")
                self._send(200, make(parts.path.removeprefix("/v4/spreadsheets/"), parse_qs(parts.query)))
            except Refused as error:
                self._send(error.status, {"error": {"code": error.status, "message": str(error), "status": "X"}})

        def _send(self, status: int, content: Any) -> None:
            body = json.dumps(content).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    stand_in = Google(f"http://127.0.0.1:{server.server_address[1]}")
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield stand_in
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def key_file(folder: Path, token_url: str) -> Path:
    """A service account's key, as Google hands it out."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    pem = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    ).decode()
    file = folder / "google.json"
    content = {
        "type": "service_account",
        "project_id": "p",
        "private_key_id": "k",
        "private_key": pem,
        "client_email": "qwebhook@p.iam.gserviceaccount.com",
        "client_id": "1",
        "token_uri": token_url,
    }
    file.write_text(json.dumps(content))
    return file
