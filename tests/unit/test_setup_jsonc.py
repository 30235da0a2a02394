"""Edits of JSON with comments: the part goes in and comes out, and every other byte stays."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hubbub.setup import jsonc

PATH = ("mcpServers", "hubbub")
VALUE = {"command": "hubbub", "args": ["mcp"]}

FORMS = {
    "empty object": "{}",
    "empty file": "",
    "blank file": " \n",
    "bom": '\ufeff{"a": 1}\n',
    "one line": '{"a": 1, "mcpServers": {"x": {"command": "y"}}}',
    "one line, trailing comma": '{"a": 1, "mcpServers": {"x": {"command": "y"},},}',
    "tight": '{"a":1,"mcpServers":{"x":{}}}',
    "two blanks": '{\n  "a": 1,\n  "mcpServers": {\n    "x": {}\n  },\n  "b": 2\n}\n',
    "tabs": '{\n\t"a": 1,\n\t"mcpServers": {\n\t\t"x": {}\n\t}\n}\n',
    "crlf": '{\r\n    "a": 1,\r\n    "mcpServers": {\r\n        "x": {}\r\n    }\r\n}\r\n',
    "no line feed at the end": '{\n  "a": 1\n}',
    "comments": '// top\n{\n  // first\n  "a": 1, // one\n  "mcpServers": {\n    "x": {} // last\n'
    "    /* end */\n  } // of it\n}\n// done",
    "trailing commas": '{\n  "a": [1, 2,],\n  "mcpServers": {\n    "x": {}, // kept\n  },\n}\n',
    "only a comment": "{\n  // nothing yet\n}\n",
    "block comment over lines": '{\n  "a": 1 /* goes\n  on */\n}\n',
    "closing brace behind": '{\n  "a": 1,\n  "mcpServers": {\n    "x": 1 } }',
    "marks in strings": '{\n  "a": "// no, /* no */ \\" ,}",\n  "mcpServers": {}\n}\n',
    "empty container in a line": '{ "mcpServers": {} }\n',
    "letters": '{\n  "ä": "日本 \\u2028",\n  "mcpServers": { "é": [] }\n}\n',
}


@pytest.mark.parametrize("text", FORMS.values(), ids=FORMS.keys())
def test_a_member_goes_in_and_comes_out(text: str) -> None:
    before = jsonc.read(text if text.strip() else "{}")
    put = jsonc.put(text, PATH, VALUE)
    after = jsonc.read(put)
    assert after["mcpServers"].pop("hubbub") == VALUE
    if "mcpServers" not in before:
        del after["mcpServers"]
    assert after == before
    taken = jsonc.remove(put, PATH)
    if "mcpServers" not in before:
        taken = jsonc.remove(taken, PATH[:1])
    assert jsonc.read(taken) == before
    for comment in ("// top", "// first", "// one", "// last", "/* end */", "// of it", "// done", "// kept"):
        assert (comment in put, comment in taken) == (comment in text, comment in text)


@pytest.mark.parametrize(
    "name",
    ["one line", "two blanks", "tabs", "crlf", "comments", "trailing commas", "no line feed at the end"],
)
def test_out_again_leaves_the_very_same_bytes(name: str) -> None:
    text = FORMS[name]
    taken = jsonc.remove(jsonc.put(text, PATH, VALUE), PATH)
    if "mcpServers" not in text:
        taken = jsonc.remove(taken, PATH[:1])
    assert taken == text


def test_what_is_added_is_written_as_the_file_is() -> None:
    assert jsonc.put(FORMS["tabs"], PATH, VALUE).splitlines()[4:9] == [
        '\t\t"hubbub": {',
        '\t\t\t"command": "hubbub",',
        '\t\t\t"args": [',
        '\t\t\t\t"mcp"',
        "\t\t\t]",
    ]
    assert "\n" not in jsonc.put(FORMS["crlf"], PATH, VALUE).replace("\r\n", "")
    assert "\n" not in jsonc.put(FORMS["one line"], PATH, VALUE)


def test_a_comment_stays_in_the_line_of_what_it_is_about() -> None:
    put = jsonc.put('{\n  "a": 1, // of a\n  "b": 2 // of b\n}\n', ("c",), 3)
    assert put == '{\n  "a": 1, // of a\n  "b": 2, // of b\n  "c": 3\n}\n'


def test_an_element_goes_to_the_end_of_its_array() -> None:
    text = '{\n  "hooks": {\n    "Stop": [\n      {"mine": 1} // mine\n    ]\n  }\n}\n'
    put = jsonc.put(text, ("hooks", "Stop"), {"ours": 2}, append=True)
    assert jsonc.read(put)["hooks"]["Stop"] == [{"mine": 1}, {"ours": 2}]
    assert "// mine" in put
    assert jsonc.remove(put, ("hooks", "Stop", 1)) == text
    assert jsonc.read(jsonc.remove(put, ("hooks", "Stop", 0)))["hooks"]["Stop"] == [{"ours": 2}]


@pytest.mark.parametrize(
    "text",
    [
        "[]",
        "1",
        '{"a": 1',
        '{"a": }',
        '{"a": NaN}',
        "{'a': 1}",
        '{"a": 1} x',
        "{ /* open }",
        '{"mcpServers": []}',
        '{"mcpServers": null}',
        '{"mcpServers": {}, "mcpServers": {}}',
        '{"mcpServers": {"hubbub": 1, "hubbub": 2}}',
        "[" * 100_000,
        '{"a": "\n"}',
    ],
)
def test_what_can_not_be_edited_is_refused(text: str) -> None:
    with pytest.raises(jsonc.NotJson):
        jsonc.put(text, PATH, VALUE)


def test_removing_what_is_not_there_is_refused() -> None:
    with pytest.raises(jsonc.NotJson):
        jsonc.remove('{"mcpServers": {}}', PATH)
    with pytest.raises(jsonc.NotJson):
        jsonc.remove('{"a": [1]}', ("a", 1))


KEYS = st.sampled_from(["a", "mcpServers", "hubbub", 'q"\\', "ü"])
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=3),
    max_leaves=12,
)
BLANKS = st.sampled_from(["", " ", "\n", "\n  ", "\r\n\t", " // c, }\n", "/* , ] \n { */", " \n// ü\n  "])


@st.composite
def written(draw: Any, value: Any) -> str:
    """``value`` as somebody might have written it: with comments, blanks and trailing commas anywhere."""
    if isinstance(value, dict):
        items = [
            f"{draw(BLANKS)}{json.dumps(key)}{draw(BLANKS)}:{draw(BLANKS)}{draw(written(inner))}{draw(BLANKS)}"
            for key, inner in value.items()
        ]
    elif isinstance(value, list):
        items = [f"{draw(BLANKS)}{draw(written(inner))}{draw(BLANKS)}" for inner in value]
    else:
        return json.dumps(value, ensure_ascii=bool(draw(st.booleans())))
    comma = "," if items and draw(st.booleans()) else ""
    marks = "{}" if isinstance(value, dict) else "[]"
    return f"{marks[0]}{','.join(items)}{comma}{draw(BLANKS)}{marks[1]}"


@settings(max_examples=80, deadline=None)
@given(st.data(), st.dictionaries(KEYS, VALUES, max_size=4))
def test_whatever_is_there_stays(data: st.DataObject, value: dict[str, Any]) -> None:
    text = data.draw(BLANKS) + data.draw(written(value)) + data.draw(BLANKS)
    assert jsonc.read(text) == value
    servers = value.get("mcpServers", {})
    if not isinstance(servers, dict):
        with pytest.raises(jsonc.NotJson):
            jsonc.put(text, PATH, VALUE)
        return
    put = jsonc.put(text, PATH, VALUE)
    assert jsonc.read(put) == {**value, "mcpServers": {**servers, "hubbub": VALUE}}
    taken = jsonc.read(jsonc.remove(put, PATH))
    assert taken == {**value, "mcpServers": {k: v for k, v in servers.items() if k != "hubbub"}}
    for key in value:
        assert jsonc.read(jsonc.remove(text, (key,))) == {k: v for k, v in value.items() if k != key}


@settings(max_examples=80, deadline=None)
@given(st.data(), st.lists(VALUES, max_size=4))
def test_elements_come_and_go(data: st.DataObject, value: list[Any]) -> None:
    text = '{"list":' + data.draw(written(value)) + "}"
    put = jsonc.put(text, ("list",), VALUE, append=True)
    assert jsonc.read(put) == {"list": [*value, VALUE]}
    for place in range(len(value)):
        left = value[:place] + value[place + 1 :]
        assert jsonc.read(jsonc.remove(put, ("list", place))) == {"list": [*left, VALUE]}
    assert jsonc.read(jsonc.remove(put, ("list", len(value)))) == {"list": value}
