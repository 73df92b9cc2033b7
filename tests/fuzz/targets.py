"""One function for each thing that is read from outside: bytes in, and nothing may be raised.

A fault is any exception but ours, and an answer that does not keep what it promises.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import msgspec

from qwebhook.cli.contexts import table_of
from qwebhook.cli.contexts_file import read_toml
from qwebhook.cli.settings import Settings as Configuration
from qwebhook.cli.vendor_contexts import read_vendor_contexts
from qwebhook.deliver.targets import prepare
from qwebhook.deliver.targets.sheets.csv_file import write_csv
from qwebhook.deliver.targets.sheets.place import opened
from qwebhook.deliver.targets.sheets.rows import Change
from qwebhook.deliver.targets.sheets.trouble import NotWritten
from qwebhook.model import catalogue
from qwebhook.model.decoding import NOT_JSON, decoding_reason
from qwebhook.model.envelope import BATCH, JSON, STRUCTURED, as_cloud_event, read_request, read_text, with_type
from qwebhook.model.errors import QwebhookError
from qwebhook.model.event import Event, read_event
from qwebhook.model.filter import Filter
from qwebhook.model.patch import PatchOperation, apply_patch
from qwebhook.model.signature import verify_qlik, verify_standard
from qwebhook.model.trace import kept_trace, trace_in_event
from qwebhook.model.webhook import Settings, WebhookDraft, check_draft, check_url
from qwebhook.render.template import Template
from tests.builders import SECRET, STANDARD_SECRET, cloud_event_body, endpoint, event, legacy_event_body, webhook

NOW = 1_795_536_000_000
FOLDER = Path(tempfile.gettempdir())


def envelopes(data: bytes) -> None:
    """Requests with events, in every format."""
    for content_type in (JSON, STRUCTURED, BATCH):
        with suppress(QwebhookError):
            for one in read_request(content_type, {}, data):
                _check_event(one, data)
    head, _, body = data.partition(b"\n")
    pairs = (pair.partition(b"=") for pair in head.split(b"&"))
    attributes = {name.decode("latin-1").lower(): value.decode("latin-1") for name, _, value in pairs}
    with suppress(QwebhookError):
        for one in read_request(JSON, {"specversion": "1.0", **attributes}, body):
            _check_event(read_event(one.body), one.body)
    with suppress(QwebhookError):
        read_text(data)


def _check_event(one: Event, data: bytes) -> None:
    assert one.body in data
    assert one.id
    assert one.type
    trace = trace_in_event(one.body)
    assert kept_trace(str(trace or "")) == trace
    again = read_event(one.body)
    assert (again.key, again.type, again.id) == (one.key, one.type, one.id)
    if one.legacy:
        # Its key may be another: a source, which an event of the older form may lack, has to be made up.
        converted = read_event(as_cloud_event(one))
        assert (converted.id, converted.type, converted.legacy) == (one.id, one.type, False)
    renamed = read_event(with_type(one.body, "com.example.renamed"))
    assert (renamed.type, renamed.id) == ("com.example.renamed", one.id)
    catalogue.canonical(one.type)
    prepare(endpoint(), one.key, one.type, one.body, NOW)
    for preset in ("slack", "teams", "text"):
        prepare(endpoint(webhook(qwebhook=Settings(preset=preset))), one.key, one.type, one.body, NOW)


def filters(data: bytes) -> None:
    """Filter expressions, and what they say of an event that has everything."""
    with suppress(QwebhookError, UnicodeDecodeError):
        made = Filter(data.decode())
        for one in (event(), event(data={}), read_event(legacy_event_body())):
            assert made.matches(one) in (True, False)
            assert Filter(made.expression).matches(one) == made.matches(one)


def patches(data: bytes) -> None:
    """JSON Patches of a webhook."""
    before = webhook(headers={"X-A": "a"}, encrypted_headers=["X-B"])
    try:
        operations = msgspec.json.decode(data, type=list[PatchOperation])
    except NOT_JSON as error:
        assert decoding_reason(error)
        return
    with suppress(QwebhookError):
        after = apply_patch(before, operations, lambda: {"X-B": "b"}).webhook
        assert after.id == before.id
        msgspec.json.encode(after)


def drafts(data: bytes) -> None:
    """The body of a create."""
    try:
        draft = msgspec.json.decode(data, type=WebhookDraft)
    except NOT_JSON as error:
        assert decoding_reason(error)
        return
    with suppress(QwebhookError):
        check_draft(draft)


def signatures(data: bytes) -> None:
    """Headers of a signature; nothing made up holds."""
    parts = [part.decode("latin-1") for part in data.split(b"\n", 3)] + [""] * 4
    for secret in (SECRET, STANDARD_SECRET):
        assert not verify_qlik([secret], b"body", parts[0])
        assert verify_standard([secret], parts[1], parts[2], parts[0], b"body", 1_795_536_000.0)


def configurations(data: bytes) -> None:
    """`config.toml`, and the vendor's `contexts.yml`."""
    with tempfile.TemporaryDirectory(dir=FOLDER) as folder:
        file = Path(folder) / "config.toml"
        file.write_bytes(data)
        settings = Configuration({"QWEBHOOK_CONFIG": str(file), "HOME": folder})
        readings: Sequence[Callable[[], Any]] = (
            settings.current,
            settings.allowed_networks,
            settings.context_files,
            lambda: settings.table("mail"),
            lambda: [settings.context(name) for name in settings.context_files()],
            lambda: table_of(read_toml(file) or {}, "notify", file),
            lambda: read_vendor_contexts(file),
        )
        for read in readings:
            with suppress(QwebhookError):
                read()


def urls(data: bytes) -> None:
    """Targets of every scheme."""
    with suppress(UnicodeDecodeError):
        text = data.decode()
        with suppress(QwebhookError):
            check_url(text)
            to = endpoint(webhook(url=text))
            prepare(to, bytes(16), "com.qlik.v1.app.created", cloud_event_body(), NOW)


def templates(data: bytes) -> None:
    """Templates, in every kind of escaping."""
    with suppress(UnicodeDecodeError):
        source = data.decode()
        given = {"data": {"name": "x" * 100, "list": [1, "a", None]}, "text": "t", "event": {"id": "1"}}
        for escaping in ("none", "json", "html"):
            with suppress(QwebhookError):
                Template(source, escaping).render(given)  # type: ignore[arg-type]


def tables(data: bytes) -> None:
    """A CSV file that was there before: it has the row then, once, or is as it was."""
    change = Change("append", "event_id", {"Name": '=Robin, "R"\n', "event_id": "id-1"})
    with tempfile.TemporaryDirectory(dir=FOLDER) as folder:
        file = Path(folder) / "a.csv"
        file.write_bytes(data)
        with opened(file.parent, file) as place:
            try:
                write_csv(place, [change])
            except NotWritten:
                assert file.read_bytes() == data
                return
            once = file.read_bytes()
            assert b"id-1" in once
            write_csv(place, [change])
        assert file.read_bytes() == once


TARGETS: dict[str, Callable[[bytes], None]] = {
    one.__name__: one
    for one in (envelopes, filters, patches, drafts, signatures, configurations, urls, templates, tables)
}
SEEDS: dict[str, list[bytes]] = {
    "envelopes": [
        cloud_event_body(),
        legacy_event_body(),
        b"[" + cloud_event_body() + b"," + legacy_event_body() + b"]",
        b'id=1&source=a&type=com.example.a&traceparent=x\n{"a": 1}',
        cloud_event_body(traceparent="00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01", tracestate=" a=b c "),
    ],
    "filters": [b'spaceId eq "a" and (id ne "b" or data.status eq "error")', b'topLevelResourceId eq "\\"x"'],
    "patches": [
        b'[{"op": "replace", "path": "/url", "value": "https://a.example.com/"}]',
        b'[{"op": "add", "path": "/headers/X~1A", "value": "b"}, {"op": "remove", "path": "/encryptedHeaders/X-B"}]',
        b'[{"op": "replace", "path": "/qwebhook", "value": {"retries": [1], "sheet": {"modes": {"a": "mark"}}}}]',
    ],
    "drafts": [
        json.dumps(
            {"name": "a", "url": "https://a.example.com/", "eventTypes": ["a.b"], "filter": 'id eq "a"'}
        ).encode(),
        b'{"name": "a", "url": "csv:/a.csv", "qwebhook": {"sheet": {"columns": {"A": "data.a"}, "key": "A"}}}',
    ],
    "signatures": [b"v1,abc= v1,def=\nmsg_1\n1795536000\n", b"00ff\nid\n99999999999999999999\n"],
    "configurations": [
        b'current = "a"\n[contexts.a]\nstore = "https://a.example.com"\ntoken = "env:A"\n[mail]\nserver = "b"\n',
        b'[network]\nallow = ["loopback", "10.0.0.0/8"]\n[notify]\na = "@b"\n',
        b"current-context: a\ncontexts:\n  a: {server: https://a.eu.qlikcloud.com, headers: {Authorization: x}}\n",
    ],
    "urls": [
        b"mailto:{{ data.email }},b@example.com?subject=a&bcc=c@example.com",
        b"exec:/bin/true 'a b'",
        b"xlsx:/a/b.xlsx#Tab",
        b"gsheet:abc/Tab",
        b"notify:a",
        b"https://[::1]:80/a?b#c",
        b"http://0127.0.0.1./",
    ],
    "templates": [
        b'{"a": "{{ data.name | cut(3) }}", "b": {{ data.list | tojson }}}',
        b"{% for a in data.list %}{{ loop.index }}{{ a ~ 'x' }}{% else %}-{% endfor %}",
        b"{% macro f(x) %}{{ x | upper }}{% endmacro %}{% set a %}{{ f(text) }}{% endset %}{{ a | replace('T', 'u') }}",
    ],
    "tables": [
        b"Name,event_id\na,b\n",
        b'\xef\xbb\xbfName;event_id\r\n"a;""b";c\r\n',
        b"x\ty",
        b'Name,event_id\n"torn',
        b"\nme:;;\t;~",
        b'\n;"\r"\r]\n',
    ],
}
