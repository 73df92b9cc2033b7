"""The trace of a request and of an event: what is one, and what is passed over."""

from __future__ import annotations

import pytest

from qwebhook.model.trace import TRACESTATE_LIMIT, Trace, kept_trace, trace_in_event, trace_in_headers
from tests.builders import cloud_event_body

PARENT = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"


def in_headers(parents: list[str], *states: str) -> Trace | None:
    headers = [("tracestate", one) for one in states] + [("traceparent", one) for one in parents]
    return trace_in_headers([(name.encode(), value.encode("latin-1")) for name, value in headers])


def test_a_trace_is_read_from_headers_and_from_events() -> None:
    assert in_headers([PARENT]) == trace_in_event(cloud_event_body(traceparent=PARENT)) == Trace(PARENT)
    body = cloud_event_body(traceparent=PARENT, tracestate="a=b")
    assert in_headers([PARENT], "a=b") == trace_in_event(body) == Trace(PARENT, "a=b")
    assert in_headers([PARENT], "a=b", "c=d") == Trace(PARENT, "a=b,c=d")


@pytest.mark.parametrize(
    "parent",
    [
        "",
        "x",
        PARENT.upper(),
        PARENT[:-1],
        PARENT + "0",
        PARENT + "-more",
        PARENT + "\n",
        " " + PARENT,
        PARENT.replace("-", "_"),
        PARENT.replace("4", "g"),
        "ff" + PARENT[2:],
        "00-" + "0" * 32 + PARENT[35:],
        PARENT[:36] + "0" * 16 + "-01",
        "\xb2" + PARENT[1:],
    ],
)
def test_what_is_no_traceparent(parent: str) -> None:
    assert in_headers([parent], "a=b") is None
    assert trace_in_event(cloud_event_body(traceparent=parent, tracestate="a=b")) is None


def test_there_is_one_traceparent() -> None:
    assert in_headers([], "a=b") is None
    assert in_headers([PARENT, PARENT]) is None


@pytest.mark.parametrize("state", ["", " ", "a\r\nb", "\xe9=1", "a" * (TRACESTATE_LIMIT + 1)])
def test_a_tracestate_that_cannot_be_passed_on_is_left_out(state: str) -> None:
    assert in_headers([PARENT], state) == Trace(PARENT)
    assert trace_in_event(cloud_event_body(traceparent=PARENT, tracestate=state)) == Trace(PARENT)


@pytest.mark.parametrize(
    "body",
    [
        b'{"data":{"traceparent":"%s"}}' % PARENT.encode(),
        b'{"traceparent":5}',
        b'"traceparent"',
        b'{"traceparent":"%s","data":%b%b}' % (PARENT.encode(), b"[" * 2000, b"]" * 2000),
    ],
    ids=["within the data", "a number", "a text", "nested too deeply"],
)
def test_an_event_that_names_none(body: bytes) -> None:
    assert trace_in_event(body) is None


@pytest.mark.parametrize("trace", [Trace(PARENT), Trace(PARENT, "a=b, c=d e")])
def test_a_trace_is_kept_as_text(trace: Trace) -> None:
    assert kept_trace(str(trace)) == trace
    assert kept_trace(None) is None
