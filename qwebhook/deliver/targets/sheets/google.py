"""Google Sheets: what is there is read, and all changes are made by one request, wholly or not at all."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from qwebhook.deliver.targets.sheets.rows import Change, Table
from qwebhook.deliver.targets.sheets.trouble import NeverWritten, NotWritten
from qwebhook.model.sheet import GoogleAccount, google_parts

INSTALL = "pip install 'qwebhook[sheets]'"
API = "https://sheets.googleapis.com"
SCOPES = ["https://www.googleapis.com/auth/spreadsheets"]
TIMEOUT_SECONDS = 15.0


def write_google(account: GoogleAccount, url: str, changes: Sequence[Change]) -> list[str]:
    """Make the changes to the sheet of a `gsheet:` URL; what came of each, in words.

    Raises NotWritten, NeverWritten.
    """
    identifier, tab = google_parts(url)
    client = _client(account)
    import requests
    from google.auth.exceptions import GoogleAuthError
    from gspread.exceptions import APIError

    try:
        return _write(client, identifier, tab, changes)
    except APIError as error:
        status, words = error.response.status_code, " ".join(str(error.error.get("message", "")).split())[:300]
        asked = "; is it shared with the service account?" if status in (403, 404) else ""
        raise NotWritten(f"Google Sheets answered {status}: {words}{asked}") from None
    except (requests.RequestException, GoogleAuthError) as error:
        raise NotWritten(f"Google Sheets was not reached: {type(error).__name__}") from None


def _client(account: GoogleAccount) -> Any:
    try:
        from google.oauth2.service_account import Credentials
        from gspread.http_client import HTTPClient
    except ImportError:
        raise NeverWritten(f"Google Sheets needs a library: {INSTALL}") from None

    class Client(HTTPClient):
        """gspread's, at the address that is configured."""

        def request(self, method: str, endpoint: str, *arguments: Any, **named: Any) -> Any:
            if account.api is not None:
                endpoint = account.api.rstrip("/") + endpoint.removeprefix(API)
            return super().request(method, endpoint, *arguments, **named)

    file = Path(account.credentials).expanduser()
    try:
        credentials = Credentials.from_service_account_file(file, scopes=SCOPES)  # type: ignore[no-untyped-call]
    except (OSError, ValueError) as error:  # whose words may quote the key
        raise NeverWritten(f"{file} holds no key of a service account: {type(error).__name__}") from None
    client = Client(credentials)
    client.set_timeout(TIMEOUT_SECONDS)
    return client


def _write(client: Any, identifier: str, tab: str, changes: Sequence[Change]) -> list[str]:
    fields = "sheets.properties(sheetId,title,gridProperties(columnCount))"
    meta = client.fetch_sheet_metadata(identifier, params={"fields": fields})
    # Google takes no second sheet whose name differs by case alone.
    titles = (one["properties"] for one in meta.get("sheets", []))
    sheet = next((one for one in titles if one["title"].casefold() == tab.casefold()), None)
    if sheet is None:
        made = client.batch_update(identifier, {"requests": [{"addSheet": {"properties": {"title": tab}}}]})
        sheet = made["replies"][0]["addSheet"]["properties"]
    tab = sheet["title"]
    quoted = "'" + tab.replace("'", "''") + "'"
    rows = client.values_get(identifier, quoted, params={"valueRenderOption": "UNFORMATTED_VALUE"}).get("values", [])
    table = Table(rows[0] if rows else (), rows[1:])
    words = [table.apply(change) for change in changes]
    requests = _requests(sheet["sheetId"], sheet["gridProperties"]["columnCount"], table)
    if requests:
        client.batch_update(identifier, {"requests": requests})
    return words


def _requests(sheet: int, width: int, table: Table) -> list[dict[str, Any]]:
    """The requests of one batch, which Google carries out in order. width: columns that the grid has."""
    requests: list[dict[str, Any]] = []
    if len(table.header) > width:
        more = len(table.header) - width
        requests.append({"appendDimension": {"sheetId": sheet, "dimension": "COLUMNS", "length": more}})
    if table.header_grew:
        requests.append(_update(sheet, 0, table.columns, table.header[table.columns :]))
    for number, columns in table.changed.items():
        row = table.rows[number] or []
        requests += [_update(sheet, number + 1, column, [row[column]]) for column in sorted(columns)]
    for number in table.deleted:
        place = {"sheetId": sheet, "dimension": "ROWS", "startIndex": number + 1, "endIndex": number + 2}
        requests.append({"deleteDimension": {"range": place}})
    if table.added:
        rows = [{"values": [_cell(value) for value in row]} for row in table.added]
        requests.append({"appendCells": {"sheetId": sheet, "rows": rows, "fields": "userEnteredValue"}})
    return requests


def _update(sheet: int, row: int, column: int, values: Sequence[Any]) -> dict[str, Any]:
    return {
        "updateCells": {
            "start": {"sheetId": sheet, "rowIndex": row, "columnIndex": column},
            "rows": [{"values": [_cell(value) for value in values]}],
            "fields": "userEnteredValue",
        }
    }


def _cell(value: Any) -> dict[str, Any]:
    """A value and never a formula, whatever a text begins with."""
    if value is None:
        return {}
    if isinstance(value, bool):
        return {"userEnteredValue": {"boolValue": value}}
    if isinstance(value, int | float):
        return {"userEnteredValue": {"numberValue": value}}
    return {"userEnteredValue": {"stringValue": value}}
