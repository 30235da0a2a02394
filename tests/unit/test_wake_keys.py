"""What the keys say of the line at a prompt."""

from __future__ import annotations

import random

import pytest

from hubbub.wake.pty_keys import Keys


def after(*pieces: bytes, dialog: bool = False) -> Keys:
    keys = Keys()
    for number, piece in enumerate(pieces):
        keys.feed(piece, float(number), dialog=dialog)
    return keys


def unsent(keys: Keys, *, shows_text: bool = True) -> bool:
    return keys.unsent(100.0, shows_text=shows_text, trust_seconds=0)


@pytest.mark.parametrize(
    "pieces",
    [
        (b"a",),
        (b"abc\r", b"d"),
        ("日".encode()[:2], "日".encode()[2:]),
        (b"\x1b[200~pasted\r\x1b[201~",),
        (b"\x1b[200~torn", b" apart\r\x1b[2", b"01~"),
        (b"\x1b[200~without an end\r",),
        (b"a\n",),
        (b"a\\\r",),
        (b"a\x1b[13;2u",),
        (b"\x1b[97u",),
        (b"ab\x7f",),
    ],
)
def test_something_is_typed(pieces: tuple[bytes, ...]) -> None:
    assert unsent(after(*pieces))


@pytest.mark.parametrize(
    "pieces",
    [
        (),
        (b"a\r",),
        (b"abc\x03",),
        (b"abc\x15",),
        (b"a\x7f",),
        (b"a\x1b[13u",),
        (b"a\x1b[99;5u",),
        (b"\x1b[97;1:3u",),
        (b"\x1b[200~pasted\x1b[201~\r",),
        (b"\x1b[200~pasted", b"\x1b[201", b"~\r"),
    ],
)
def test_nothing_is_typed(pieces: tuple[bytes, ...]) -> None:
    assert not unsent(after(*pieces))
    assert not unsent(after(*pieces), shows_text=False)


@pytest.mark.parametrize(
    "answer",
    [
        b"\x1b[?62;22c",
        b"\x1b[>1;10;0c",
        b"\x1b[12;40R",
        b"\x1b[0n",
        b"\x1b[?997;1n",
        b"\x1b[?2026;2$y",
        b"\x1b[?1u",
        b"\x1b[8;40;120t",
        b"\x1b[I",
        b"\x1b[O",
        b"\x1b[<35;10;20M",
        b"\x1b[<0;10;20m",
        b"\x1b[M !!",
        b"\x1b]11;rgb:0000/0000/0000\x1b\\",
        b"\x1b]10;rgb:ffff/ffff/ffff\x07",
        b"\x1bP>|terminal(1)\x1b\\",
        b"\x1b_Gi=31;OK\x1b\\",
    ],
)
def test_what_a_terminal_answers_is_no_key(answer: bytes) -> None:
    keys = after(answer)
    assert (keys.typed, keys.unsure, keys.count) == (0, False, 0)
    assert keys.touched_at == float("-inf")
    torn = Keys()
    for number in range(len(answer)):
        torn.feed(answer[number : number + 1], 1.0 + number / 1000)
    assert torn.typed == 0  # its first byte may have been the key Escape


@pytest.mark.parametrize(
    "key", [b"\x1b[A", b"\x1bOA", b"\x1b[5~", b"\x1bb", b"\x19", b"\x12", b"\x1b", b"\t"]
)
def test_keys_that_may_bring_text_count_where_the_screen_does_not_tell(key: bytes) -> None:
    keys = after(key)
    assert unsent(keys, shows_text=False)
    assert not unsent(keys)
    assert keys.count == 1
    assert not unsent(after(key, b"\r"), shows_text=False)


def test_a_key_that_answers_a_dialog_is_not_at_the_prompt() -> None:
    keys = after(b"y", dialog=True)
    assert not unsent(keys, shows_text=False)
    assert keys.count == 0
    assert keys.touched_at == 0.0


def test_escape_and_then_a_bracket_are_two_keys_when_time_passes() -> None:
    keys = Keys()
    keys.feed(b"\x1b", 1.0)
    keys.feed(b"[", 3.0)
    assert keys.typed == 1
    keys = Keys()
    keys.feed(b"\x1b", 1.0)
    keys.feed(b"[A", 1.01)
    assert keys.typed == 0


def test_after_a_while_the_screen_is_trusted_where_it_tells() -> None:
    keys = after(b"abc")
    assert keys.unsent(5.0, shows_text=True, trust_seconds=30)
    assert not keys.unsent(31.0, shows_text=True, trust_seconds=30)
    assert keys.unsent(31.0, shows_text=False, trust_seconds=30)
    assert keys.unsent(31.0, shows_text=True, trust_seconds=0)


def test_a_large_paste_costs_no_more_than_its_length() -> None:
    keys = Keys()
    keys.feed(b"\x1b[200~", 0.0)
    for _ in range(3000):
        keys.feed(b"x" * 1024, 0.0)
    keys.feed(b"\x1b[201~", 0.0)
    assert keys.typed == 3000 * 1024
    keys.feed(b"\r", 0.0)
    assert not unsent(keys)


def test_rubbish_does_no_harm() -> None:
    chance = random.Random(1)
    for _ in range(300):
        keys = Keys(("escape", "ctrl-x"))
        for _ in range(10):
            keys.feed(
                chance.choice((b"\x1b[", b"\x1b[200~", b"\x1b]", b"\x1bO", b"")) + chance.randbytes(12), 1.0
            )
        keys.feed(b"\x1b[201~\x07\x1b\\\x18", 2.0)
        assert keys.touched_at >= 1.0 or keys.count == 0
