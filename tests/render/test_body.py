"""What a template is of, and what that does to the values in it."""

from __future__ import annotations

import json

import pytest

from qwebhook.model.webhook import Settings
from qwebhook.render.body import beginning_of, escaping_of, rendered_body
from tests.builders import APP_CREATED, cloud_event_body, webhook


@pytest.mark.parametrize(
    ("source", "beginning", "escaping"),
    [
        ('{"a": 1}', "{", "json"),
        ("\n [1]", "[", "json"),
        ("{% set a = 1 %}\n{# ours #}{%- if a -%} {}{% endif %}", "{", "json"),
        ("{{ what }}", "", "none"),
        ("{% set a = 1 %}{{ what }}", "", "none"),
        ("{# a", "{", "json"),
        ("{# a #} <p>", "<", "none"),
        ("{# a #}", "", "none"),
        ("", "", "none"),
        ("a {", "a", "none"),
        ("{##}" * 10_000 + "a", "a", "none"),
    ],
)
def test_the_beginning_of_a_template_says_what_it_is_of(source: str, beginning: str, escaping: str) -> None:
    assert (beginning_of(source), escaping_of(source)) == (beginning, escaping)


def test_no_value_ends_a_text_of_json_that_a_tag_stands_before() -> None:
    template = '{% set name = data.name | default("?") %}\n{"app": "{{ name }}"}'
    body = cloud_event_body(data={"name": '", "admin": "'})
    made, media_type = rendered_body(webhook(qwebhook=Settings(template=template)), APP_CREATED, body)
    assert (json.loads(made), media_type) == ({"app": '", "admin": "'}, "application/json")
