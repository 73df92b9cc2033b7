"""The contexts of the vendor's command line, to be taken over: `~/.qlik/contexts.yml`.

contexts:
  NAME:
    server: https://acme.eu.qlikcloud.com
    headers:
      Authorization: Bearer KEY
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from qwebhook.cli.contexts import check_name, is_key
from qwebhook.model.errors import InvalidInput, NotFound, QwebhookError
from qwebhook.store.location import RestLocation, parse_location

HOME_VARIABLE = "QLIK_CLI_USER_HOME_DIR"
FOLDER, FILE_NAME = ".qlik", "contexts.yml"
_SCHEME = "bearer "


class VendorContext(NamedTuple):
    """A context as that tool keeps it: the server's URL, and the key."""

    name: str
    url: str
    key: str

    def __repr__(self) -> str:
        return f"VendorContext({self.name!r}, {self.url!r})"


class Unusable(NamedTuple):
    """A context that cannot be taken over, and why."""

    name: str
    why: str


def vendor_file(environ: Mapping[str, str]) -> Path:
    """Where the file is. Raises NotFound, naming the places that were looked at."""
    named = environ.get(HOME_VARIABLE)
    # The variable names what stands for the home; some have it name the folder itself.
    home = environ.get("HOME")
    user = Path(home) if home else Path.home()
    places = [Path(named) / FOLDER / FILE_NAME, Path(named) / FILE_NAME] if named else [user / FOLDER / FILE_NAME]
    for place in places:
        if place.is_file():
            return place
    raise NotFound(
        f"there is no {' and no '.join(map(str, places))}",
        f"name the file with --from, or the folder that has it in {HOME_VARIABLE}",
    )


def read_vendor_contexts(file: Path) -> list[VendorContext | Unusable]:
    """Every context of the file, in order. Raises InvalidInput for a file that is none of that kind."""
    import yaml

    try:
        content = yaml.safe_load(file.read_bytes())
    except OSError as error:
        raise InvalidInput(f"{file} cannot be read: {error.strerror}") from None
    except yaml.YAMLError as error:
        # The place alone: the library's words quote what stands there, which may be a key.
        mark = getattr(error, "problem_mark", None)
        place = f" at line {mark.line + 1}, column {mark.column + 1}" if mark is not None else ""
        raise InvalidInput(f"{file} is not valid YAML{place}") from None
    except (ValueError, RecursionError):  # a date that there is not, or what is nested too deeply
        raise InvalidInput(f"{file} is not valid YAML") from None
    contexts = content.get("contexts") if isinstance(content, dict) else None
    if not isinstance(contexts, dict):
        raise InvalidInput(f"{file} has no contexts", "is it the vendor's contexts.yml?")
    return [_read(str(name), fields) for name, fields in contexts.items()]


def _read(name: str, fields: Any) -> VendorContext | Unusable:
    if not isinstance(fields, dict):
        return Unusable(name, "it is not a table")
    server, headers = fields.get("server"), fields.get("headers")
    try:
        check_name(name)
        location = parse_location(server) if isinstance(server, str) else None
    except QwebhookError as error:
        return Unusable(name, str(error))
    if not isinstance(location, RestLocation):
        return Unusable(name, "it has no server that is an https URL")
    given = {str(key).lower(): value for key, value in headers.items()} if isinstance(headers, dict) else {}
    authorization = given.get("authorization")
    if not isinstance(authorization, str) or not authorization.lower().startswith(_SCHEME):
        return Unusable(name, f"it has no header Authorization with a key; `qwebhook context add {name} {location}`")
    key = authorization[len(_SCHEME) :].strip()
    if not is_key(key):
        return Unusable(name, f"its header Authorization holds no key; `qwebhook context add {name} {location}`")
    return VendorContext(name, location.url, key)
