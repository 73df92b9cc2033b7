"""Hypothesis strategies for the values that the model handles."""

from __future__ import annotations

import json
from base64 import b64encode
from typing import Any

from hypothesis import strategies as st

from tests.builders import RELOAD_FINISHED

# What a header may carry and a person may type.
printable_ascii = st.characters(min_codepoint=0x20, max_codepoint=0x7E)
plain_secrets = st.text(printable_ascii, min_size=32, max_size=64).filter(lambda text: not text.startswith("whsec_"))
standard_secrets = st.binary(min_size=24, max_size=64).map(lambda key: "whsec_" + b64encode(key).decode())
secrets = plain_secrets | standard_secrets

# Text of CloudEvents attributes: no control characters (CloudEvents 1.0.2, section 3.1).
attribute_text = st.text(st.characters(exclude_categories=["Cs", "Cc", "Cn"]), min_size=1, max_size=30).filter(
    lambda text: not text.isspace()
)
event_types = st.sampled_from([RELOAD_FINISHED, "com.example.order.placed", "a", "ORDER_2.v-1"])
extension_names = st.text("abcdefghijklmnopqrstuvwxyz0123456789", min_size=1, max_size=20).filter(
    lambda name: name not in {"id", "type", "source", "time", "data", "subject", "specversion"}
)
times = st.sampled_from(["2026-11-24T16:18:59Z", "2026-02-28T23:59:59.999+05:30", "1999-12-31T00:00:00.000001Z"])

_scalars = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
)
json_values = st.recursive(
    _scalars,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.text(st.characters(exclude_categories=["Cs"]), max_size=6), inner, max_size=3)
    ),
    max_leaves=8,
)
json_objects = st.dictionaries(st.text(st.characters(exclude_categories=["Cs"]), max_size=8), json_values, max_size=4)
_space = st.text(" \t\r\n", max_size=3)


@st.composite
def spelled(draw: st.DrawFn, value: Any) -> bytes:
    """The JSON of a value in some spelling: odd white space, escapes or none, now and then a member twice."""
    return _spelled(draw, value, draw(st.booleans())).encode()


def _spelled(draw: Any, value: Any, escaped: bool) -> str:
    before, after = draw(_space), draw(_space)
    if isinstance(value, dict):
        members = [
            f"{before}{json.dumps(name, ensure_ascii=escaped)}{after}:{_spelled(draw, member, escaped)}"
            for name, member in value.items()
        ]
        if members and draw(st.booleans()):
            members.append(members[-1])
        return f"{before}{{{','.join(members)}{after}}}"
    if isinstance(value, list):
        return f"[{','.join(_spelled(draw, member, escaped) for member in value)}{after}]"
    return f"{before}{json.dumps(value, ensure_ascii=escaped)}{after}"
