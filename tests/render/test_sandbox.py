"""Templates come from whoever makes a webhook: what they may not do, and that nothing takes long."""

from __future__ import annotations

import contextlib
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qwebhook.model.errors import RenderFailed
from qwebhook.render.template import SOURCE_LIMIT, InvalidTemplate, Template


def rendered(source: str, escaping: Any = "none", **variables: Any) -> str:
    return Template(source, escaping).render(variables)


@pytest.mark.parametrize(
    "source",
    [
        "{{ ''.__class__ }}",
        "{{ ''.__class__.__mro__[1].__subclasses__() }}",
        "{{ x.__init__.__globals__ }}",
        "{{ x | attr('__class__') }}",
        "{{ self.__init__ }}",
        "{{ namespace.__init__.__globals__ }}",
        "{{ ().__class__.__base__ }}",
        "{{ x.format }}",
        "{{ '{0.__class__}'.format(x) }}",
        "{{ x.encode() }}",
        "{% macro f() %}{{ f.name }}{% endmacro %}{{ f() }}",
        "{% for a in [1] %}{{ loop._iterator }}{% endfor %}",
    ],
)
def test_what_is_inside_python_is_not_reached(source: str) -> None:
    with pytest.raises((RenderFailed, InvalidTemplate)):
        rendered(source, x="text")


REPEATED = (
    "{{% set ns = namespace(x={start}) %}}{{% for a in '{turns}' %}}"
    "{{% set ns.x = {next} %}}{{% endfor %}}{{{{ ns.x }}}}"
)


@pytest.mark.parametrize(
    "source",
    [
        "{% for a in x %}{% for b in x %}{% for c in x %}{% endfor %}{% endfor %}{% endfor %}",
        "{{ 'a' * 1000000000 }}",
        "{{ [1] * 1000000000 }}",
        "{{ 10 ** 10 ** 8 }}",
        "{{ 99999 * 99999 * 99999 * 99999 * 99999 * 99999 * 99999 }}",
        "{{ '%1000000000d' % 1 }}",
        "{{ '{:1000000000}'.format(1) }}",
        "{{ 'a'.ljust(1000000000) }}",
        "{{ 'a'.zfill(1000000000) }}",
        "{{ x | join('a' ~ x) | length }}",
        "{% macro f() %}{{ f() }}{% endmacro %}{{ f() }}",
        "{% for a in [1] recursive %}{{ loop([1]) }}{% endfor %}",
        REPEATED.format(start="'a'", turns="1" * 40, next="ns.x ~ ns.x"),
        REPEATED.format(start="'a'", turns="1" * 40, next="ns.x + ns.x"),
        REPEATED.format(start="'aa'", turns="1" * 40, next="ns.x | replace('a', ns.x)"),
        REPEATED.format(start="[1]", turns="1" * 40, next="[ns.x, ns.x]"),
        REPEATED.format(start="[1]", turns="1" * 40, next="(ns.x, ns.x)"),
        REPEATED.format(start="[1]", turns="1" * 40, next="{'a': ns.x, 'b': ns.x}"),
        REPEATED.format(start="1", turns="1" * 40, next="namespace(a=ns.x, b=ns.x)"),
        "{% set ns = namespace(x='a') %}{% for a in '" + "1" * 40 + "' %}{% set ns.x %}{{ ns.x }}{{ ns.x }}{% endset %}"
        "{% endfor %}",
        REPEATED.format(start="[[1]]", turns="1" * 40, next="[ns.x, ns.x] | sum(start=[])"),
        "{{ 1 | round(-100000000) }}",
        "{{ range(1000000000) | length }}",
        "{% for a in range(3000) %}{{ big | title | length }}{% endfor %}",
        "{% for a in range(3000) %}{{ big.count('yx') }}{% endfor %}",
        "{% for a in range(3000) %}{{ 'yx' in big }}{% endfor %}",
        "{% for a in range(3000) %}{{ big == big ~ '' }}{% endfor %}",
        "{% for a in range(3000) %}{% set b = big[1:] %}{% endfor %}",
        "{% set many = range(50000) %}{% for a in range(3000) %}{% for b in many[1:][:1] %}{% endfor %}{% endfor %}",
        "{% macro f(x) %}{{ x }}{{ x }}{% endmacro %}{{ " + "f(" * 30 + "'a'" + ")" * 30 + " }}",
        "{{ range(9000) | map(attribute='" + "q." * 20_000 + "q', default={'x': 1}) | list | length }}",
        "{{ x | map('upper') | map(attribute='" + "q." * 20_000 + "q', default={'x': 1}) | list | length }}",
        "{{ rows | sort(attribute='" + "a," * 10_000 + "a') | length }}",
        "{{ rows | sort(false, true, '" + "a," * 10_000 + "a') | length }}",
        "{{ namespace }}",
        "{{ x.upper }}",
        "{% filter upper %}{% for a in x %}{% for b in x %}" + "a" * 2000 + "{% endfor %}{% endfor %}{% endfilter %}",
    ],
)
def test_what_would_take_long_or_much_is_ended(source: str) -> None:
    """That it is ended at all is the test: each of these would take minutes, or all of the memory."""
    with pytest.raises((RenderFailed, InvalidTemplate)):
        rendered(source, x="x" * 1000, big="xy " * 60_000, rows=[{"a": 1}] * 5000)


@pytest.mark.parametrize("word", ["include 'a'", "import 'a' as a", "from 'a' import b", "extends 'a'", "block a"])
def test_a_template_stands_for_itself(word: str) -> None:
    with pytest.raises(InvalidTemplate, match="line 2"):
        Template("\n{% " + word + " %}{% endblock %}" if "block" in word else "\n{% " + word + " %}")


@pytest.mark.parametrize(
    ("source", "words"),
    [
        ("a\n  {{ x | nope }}", "line 2, column 10: No filter named 'nope'"),
        ("{% if %}", "line 1, column 1"),
        ("{{ x", "line 1"),
        ("{% for %}", "line 1"),
        ("x" * (SOURCE_LIMIT + 1), "has 65537 characters"),
    ],
)
def test_a_mistake_is_told_with_its_place(source: str, words: str) -> None:
    with pytest.raises(InvalidTemplate) as raised:
        Template(source)
    assert words in raised.value.message


@pytest.mark.parametrize(
    ("source", "words"),
    [
        ("{{ data.nope }}", "has no attribute 'nope'"),
        ("{{ nope }}", "'nope' is undefined"),
        ("{{ nope.a }}", "'nope' is undefined"),
        ("{{ 1 / 0 }}", "ZeroDivisionError"),
        ("{{ 'a' + 1 }}", "+ for two texts"),
    ],
)
@pytest.mark.parametrize("escaping", ["none", "json", "html"])
def test_what_is_not_there_is_named(source: str, words: str, escaping: str) -> None:
    with pytest.raises(RenderFailed, match=words.replace("+", r"\+")):
        rendered(source, escaping, data={"name": "a"})


def test_parts_of_texts_and_lists() -> None:
    source = "{{ x[1:3] }} {{ x[::-1] }} {{ many[:2] | join('-') }} {% for a in many[1:] %}{{ a }}{% endfor %}"
    assert rendered(source, x="text", many=[1, 2, 3]) == "ex txet 1-2 23"
    with pytest.raises(RenderFailed, match="'nope' is undefined"):
        rendered("{{ nope[1:] }}")


def test_ordinary_templates_work() -> None:
    source = (
        "{% set a, b = 1, 2 %}{{ a + b }} {% for k, v in data.items() %}{{ loop.index }}{{ k }}={{ v }} {% endfor %}"
        "{{ [1, 2] | join('-') }} {{ 'x' ~ a }} {{ nope | default('-') }} {{ data.a | upper }} "
        "{% if a in [1] %}in{% endif %}"
    )
    assert rendered(source, data={"a": "p"}) == "3 1a=p 1-2 x1 - P in"


def test_attributes_are_sought_by_their_paths() -> None:
    people = [{"name": {"last": last}, "age": age} for last, age in (("B", 1), ("A", 2), ("A", 1))]
    source = (
        "{{ people | sort(attribute='name.last,age') | map(attribute='name.last') | join }}"
        "{{ (people | max(attribute='age')).age }}{{ people | selectattr('name.last', 'eq', 'A') | list | length }}"
        "{{ people | map(attribute='name.first', default='-') | join }}"
    )
    assert rendered(source, people=people) == "AAB22---"


def test_a_value_is_read_whatever_its_name() -> None:
    data = {"items": "a", "keys": "b"}
    assert rendered("{{ data['items'] }}{{ data['keys'] }}{{ data.get('no', 'c') }}", data=data) == "abc"


def test_what_a_block_has_made_is_escaped_once() -> None:
    source = (
        '{% set made %}{{ v }}{% endset %}{% macro f(x) %}{{ x }}{% endmacro %}{"a": "{{ made }}", "b": "{{ f(v) }}"}'
    )
    assert json.loads(rendered(source, "json", v='a"\n')) == {"a": 'a"\n', "b": 'a"\n'}


texts = st.text(st.characters(codec="utf-8"), max_size=30)


@given(texts)
def test_data_cannot_end_a_json_text(value: str) -> None:
    made = rendered('{"a": "{{ v }}", "b": {{ v | tojson }}, "c": "x"}', "json", v=value)
    assert json.loads(made) == {"a": value, "b": value, "c": "x"}


@given(texts)
def test_data_cannot_be_markup(value: str) -> None:
    made = rendered("<p>{{ v }}</p>", "html", v=value)
    assert made.count("<") == 2
    assert made.count(">") == 2


@pytest.mark.parametrize(
    ("source", "line"),
    [
        ("one\n{{ data.nope }}\nthree", 2),
        ("one\n\n{% for a in range(9000) %}\n{% for b in range(9000) %}{% endfor %}{% endfor %}", 4),
        ("{% macro m() %}\n{{ 1 / 0 }}\n{% endmacro %}\n{{ m() }}", 2),
        ("{% macro m() %}\n{{ m() }}\n{% endmacro %}\n{{ m() }}", 2),
        ("one\n{% set a = {} %}{{ a is defined }}\n{{ a + 1 }}", 3),
    ],
)
def test_what_fails_is_told_with_its_line(source: str, line: int) -> None:
    with pytest.raises(RenderFailed, match=rf"\Atemplate, line {line}: "):
        rendered(source, data={})
    with pytest.raises(RenderFailed, match=r"\Atemplate: .*'nope'"):
        rendered("{{ data.nope }}", data={})


def test_what_is_to_be_json_must_be() -> None:
    with pytest.raises(RenderFailed, match="template: what it puts out is not JSON"):
        rendered('{"a": {{ v }} x}', "json", v=1)
    with pytest.raises(RenderFailed, match="not JSON: it is nested too deeply"):
        rendered("[{% for a in range(2000) %}[{% endfor %}", "json")


@given(st.text("{}%#| .x'\"()[]0~*+-", max_size=40))
def test_no_text_does_anything_but_render_or_fail(source: str) -> None:
    with contextlib.suppress(InvalidTemplate, RenderFailed):
        rendered(source, x={"x": 1})
