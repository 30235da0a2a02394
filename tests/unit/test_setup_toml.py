"""Edits of TOML and of marked blocks, and the difference that is shown."""

from __future__ import annotations

import tomllib

import pytest

from hubbub.setup import blocks, toml
from hubbub.setup.diff import LONG, unified

PATH = ("mcp_servers", "hubbub")
VALUES = {"command": "hubbub", "args": ["mcp"], "env": {"A": 'q"\\\x7f\nü'}}
ROOTS = ("sandbox_workspace_write", "writable_roots")

FORMS = {
    "empty": "",
    "plain": 'model = "x"\n',
    "no line feed at the end": 'model = "x"',
    "an empty line at the end": 'model = "x"\n\n',
    "crlf": 'model = "x"\r\n[a]\r\nb = 1\r\n',
    "others": '[mcp_servers.other]\ncommand = "y" # why\n\n[mcp_servers.other.env]\nA = "1"\n',
    "comments": "# top\n[a] # of a\nb = 1\n# end",
    "headers in texts": 'a = """\n[mcp_servers.other]\n"""\n',
    "bom": '\ufeffmodel = "x"\n',
}


@pytest.mark.parametrize("text", FORMS.values(), ids=FORMS.keys())
def test_a_table_goes_in_and_comes_out(text: str) -> None:
    put = toml.put_table(text, PATH, VALUES)
    assert put.startswith(text)
    assert toml.get(put, PATH) == VALUES
    if "\r\n" in text:
        assert "\n" not in put.replace("\r\n", "")
    taken = toml.remove_table(put, PATH)
    assert taken.rstrip("\r\n") == text.rstrip("\r\n")
    assert toml.read(taken) == toml.read(text)


def test_a_table_in_the_middle_takes_no_comment_of_the_next() -> None:
    ours = '[mcp_servers.hubbub]\ncommand = "x"\n[mcp_servers.hubbub.env]\nC = "1"\n'
    text = f"[a]\nb = 1\n\n{ours}\n# of z\n[z]\n"
    assert toml.remove_table(text, PATH) == "[a]\nb = 1\n\n# of z\n[z]\n"
    quoted = '[ mcp_servers . "hubbub" ]\ncommand = "x"\n'
    assert toml.remove_table(quoted, PATH) == ""


@pytest.mark.parametrize(
    "text",
    [
        "[a",
        'mcp_servers = "x"',
        "mcp_servers = {}",
        '[mcp_servers]\nhubbub = { command = "x" }\n',
        "a = '''\n[mcp_servers.hubbub]\n'''\nmcp_servers.hubbub.command = 'x'\n",
    ],
)
def test_forms_that_are_not_edited(text: str) -> None:
    with pytest.raises(toml.NotToml):
        toml.remove_table(toml.put_table(text, PATH, VALUES), PATH)
    if "hubbub" in text:
        with pytest.raises(toml.NotToml):
            toml.remove_table(text, PATH)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "a = 1\n",
        "[sandbox_workspace_write]\n",
        "[sandbox_workspace_write] # mine\nnetwork_access = true\n\n[z]\n",
        '[sandbox_workspace_write]\nwritable_roots = []\n[z]\nwritable_roots = ["no"]\n',
        '[sandbox_workspace_write]\nwritable_roots = ["/a", "/b"] # two\n',
        '[sandbox_workspace_write]\r\nwritable_roots = [ # mine\r\n  "/a",\r\n  "/b",\r\n]\r\n',
        "[z]\n[sandbox_workspace_write]",
    ],
)
def test_a_root_goes_in_and_comes_out(text: str) -> None:
    before = tomllib.loads(text)
    put = toml.put_in_array(text, ROOTS, "/ours")
    assert toml.get(put, ROOTS) == ["/ours", *before.get(ROOTS[0], {}).get(ROOTS[1], [])]
    taken = toml.remove_from_array(put, ROOTS, "/ours", prune=True)
    kept = before.get(ROOTS[0], {})
    if not kept.get(ROOTS[1]):
        kept.pop(ROOTS[1], None)  # an empty array, and a table with nothing in it, mean as much as none
    if not kept:
        before.pop(ROOTS[0], None)
    assert tomllib.loads(taken) == before
    if "/a" in text:
        assert taken == text


def test_roots_in_a_form_that_is_not_edited() -> None:
    for text in (
        'sandbox_workspace_write = { writable_roots = ["/a"] }',
        "[sandbox_workspace_write]\nwritable_roots = 1",
    ):
        with pytest.raises(toml.NotToml):
            toml.put_in_array(text, ROOTS, "/ours")


@pytest.mark.parametrize("text", ["", "# Mine\n", "# Mine", "# Mine\r\n\r\nBe kind.\r\n", "\ufeff# Mine\n\n"])
def test_a_block_goes_in_and_comes_out(text: str) -> None:
    put = blocks.put(text, "Ours\nand more.")
    assert put.startswith(text)
    assert blocks.body(put) == "Ours\nand more."
    again = blocks.put(put, "Other")
    assert blocks.body(again) == "Other"
    assert blocks.remove(again).rstrip("\r\n") == text.rstrip("\r\n")
    below = put + "Theirs, below.\n"
    assert blocks.remove(below).endswith("Theirs, below.\n")


@pytest.mark.parametrize(
    "text", [blocks.BEGIN, blocks.END, blocks.END + blocks.BEGIN, (blocks.BEGIN + blocks.END) * 2]
)
def test_marks_that_do_not_match(text: str) -> None:
    for edit in (blocks.find, blocks.body, blocks.remove):
        with pytest.raises(blocks.Unmarked):
            edit(text)


def test_the_difference_is_short_and_numbered_as_the_file_is() -> None:
    lines = [f"line {number}" for number in range(1, 100_001)]
    before = "\n".join(lines).encode()
    lines[50_000] = "x" * 1000
    shown = unified(before, "\n".join(lines).encode(), "file")
    assert shown[2] == "@@ -49998,7 +49998,7 @@"
    assert len(shown) == 11
    assert max(map(len, shown)) < LONG + 10
    assert unified(before, before, "file") == []
    assert unified(None, b"a\n", "file") == ["--- /dev/null", "+++ file", "@@ -0,0 +1 @@", "+a"]
    assert unified(b"a\n", None, "file")[1] == "+++ /dev/null"
    assert unified(b"a", b"a\n", "file")[-1] == "-\\ No newline at end of file"
