"""The screen of a program: against tmux, which shows the same bytes, and piece by piece."""

from __future__ import annotations

import pathlib
import random
import shutil
import subprocess

import pytest

from hubbub.wake.pty_backlog import BACKLOG_MAX, BEHIND, Backlog
from hubbub.wake.screen import Screen
from tests.unit.test_wake_profiles import CAPTURED, COLUMNS, ROWS, captured, screen_of

needs_tmux = pytest.mark.skipif(shutil.which("tmux") is None, reason="tmux is not installed")


def shown(data: bytes, rows: int = 5, columns: int = 20) -> list[str]:
    screen = Screen(rows, columns)
    screen.feed(data)
    return screen.lines()


def tmux_shows(folder: pathlib.Path, data: bytes, rows: int, columns: int) -> list[str]:
    """What tmux makes of the same bytes."""
    (folder / "data").write_bytes(data)
    environment = {
        "TMUX_TMPDIR": str(folder),
        "PATH": "/usr/bin:/bin",
        "LANG": "C.UTF-8",
        "TERM": "xterm-256color",
    }

    def tmux(*words: str) -> str:
        done = subprocess.run(
            ["tmux", "-u", "-f", "/dev/null", *words],
            env=environment,
            capture_output=True,
            timeout=20,
            check=True,
        )
        return done.stdout.decode()

    size = ("-x", str(columns), "-y", str(rows))
    script = "stty raw -echo; cat data; tmux wait-for -S shown; cat"
    tmux(
        "new-session",
        "-d",
        *size,
        "-c",
        str(folder),
        script,
        ";",
        "set",
        "status",
        "off",
        ";",
        "wait-for",
        "shown",
    )
    try:
        # It draws what it has read: all of it once the line behind it is there.
        return [line.rstrip() for line in tmux("capture-pane", "-p").split("\n")[:rows]]
    finally:
        tmux("kill-server")


@needs_tmux
@pytest.mark.parametrize(
    "name", [name for name in CAPTURED if not name.startswith("gemini-busy")]
)  # long films
def test_a_real_screen_is_what_tmux_makes_of_it(name: str, tmp_path: pathlib.Path) -> None:
    assert screen_of(name).lines() == tmux_shows(tmp_path, captured(name), ROWS, COLUMNS)


SEQUENCES = [
    *(b"\x1b[%d%c" % (count, final) for count in (1, 2, 7) for final in b"ABCDEFGdPSTX@"),
    # Terminals do not agree on where these leave the cursor.
    *(b"\x1b[%d%c\r" % (count, final) for count in (1, 2, 7) for final in b"LM"),
    *(b"\x1b[%d;%dH" % place for place in ((1, 1), (3, 9), (9, 70), (2, 20))),
    *(b"\x1b[%d%c" % (how, final) for how in (0, 1, 2) for final in b"JK"),
    *(b"\x1b7", b"\x1b8", b"\x1bM", b"\x1bD", b"\x1bE", b"\r\n", b"\t", b"\b", b"\r", b"\n"),
    *(
        b"\x1b[1m",
        b"\x1b[38;5;200m",
        b"\x1b[0m",
        b"\x1b]0;title\x07",
        b"\x1b]2;other\x1b\\",
        b"\x1b[?25l",
        b"\x1b[>4;2m",
    ),
    *(b"\x1b[4h", b"\x1b[4l", b"\x1bP1$r0m\x1b\\", b"\x1b(B", b"\x1b[<1u"),
    *(word.encode() for word in ("plain text", "wörter", "日本語", "e\u0301a", "x" * 25, "ab")),
]


@needs_tmux
def test_random_output_is_what_tmux_makes_of_it(tmp_path: pathlib.Path) -> None:
    chance = random.Random(20261121)
    for case in range(25):
        data = b"".join(chance.choice(SEQUENCES) for _ in range(60))
        folder = tmp_path / str(case)
        folder.mkdir()
        assert shown(data, 8, 24) == tmux_shows(folder, data, 8, 24), data


@needs_tmux
def test_a_part_that_scrolls_is_what_tmux_makes_of_it(tmp_path: pathlib.Path) -> None:
    lines = b"".join(b"\x1b[%dHline %d" % (row, row) for row in range(1, 9))
    for number, what in enumerate(
        (b"\x1b[3H\x1bM\x1bMx", b"\x1b[6H\n\ny", b"\x1b[4H\x1b[2M", b"\x1b[5H\x1b[L", b"\x1b[2S\x1b[T")
    ):
        folder = tmp_path / str(number)
        folder.mkdir()
        data = lines + b"\x1b[3;6r" + what + b"\x1b[r\x1b[8Hend"
        assert shown(data, 8, 24) == tmux_shows(folder, data, 8, 24), data


def test_bytes_may_come_in_any_pieces() -> None:
    chance = random.Random(7)
    for name in ("claude-idle", "codex-dialog", "gemini-typed", "opencode-busy"):
        data, screen, place = captured(name), Screen(ROWS, COLUMNS), 0
        while place < len(data):
            size = chance.choice((1, 2, 3, 50))
            screen.feed(data[place : place + size])
            place += size
        assert screen.lines() == screen_of(name).lines()
        assert screen.title == screen_of(name).title


def test_rubbish_does_no_harm() -> None:
    chance = random.Random(3)
    for _ in range(60):
        screen = Screen(chance.randint(1, 6), chance.randint(1, 9))
        for _ in range(20):
            screen.feed(chance.randbytes(40) + b"\x1b[" + chance.randbytes(3))
            screen.resize(chance.randint(1, 6), chance.randint(1, 9))
        view = screen.view()
        assert len(view.lines) == len(view.typed) == screen.size[0]


def test_sequences_with_any_numbers_do_no_harm() -> None:
    chance = random.Random(99)
    numbers = ("", "0", "1", "3", "6", "7", "25", "38", "48", "1049", "300", "99999", "9" * 5000, "4:3")
    for _ in range(300):
        screen = Screen(chance.randint(1, 9), chance.randint(1, 12))
        for _ in range(50):
            given = ";".join(chance.choice(numbers) for _ in range(chance.randint(0, 5)))
            mark, blank = chance.choice(("", "", "?", ">", "<")), chance.choice(("", "", " ", "$", "!"))
            screen.feed(f"\x1b[{mark}{given}{blank}{chr(chance.randrange(0x40, 0x7F))}日e\u0301".encode())
        screen.resize(chance.randint(1, 9), chance.randint(1, 12))
        view = screen.view()
        assert len(view.lines) == len(view.typed) == screen.size[0]
        assert view.row < screen.size[0]


def test_a_terminal_of_one_cell_is_one() -> None:
    screen = Screen(1, 1)
    screen.feed("ab\r\nc日e\u0301".encode())
    assert len(screen.lines()) == 1
    assert screen.cursor == (0, 0)


def test_the_other_screen_is_left_as_it_was() -> None:
    screen = Screen(5, 20)
    screen.feed(b"first\x1b[?1049h\x1b[2J\x1b[Hdialog")
    assert screen.lines()[0] == "dialog"
    screen.feed(b"\x1b[?1049l")
    assert screen.lines()[0] == "first"


def test_what_is_faint_or_grey_is_no_typed_text() -> None:
    for style in (b"2", b"90", b"38;5;246", b"38;2;128;128;128", b"38:2::120:120:120"):
        screen = Screen(2, 30)
        screen.feed(b"> \x1b[%bmhint\x1b[0m x\x1b[1;3H" % style)
        assert screen.view().typed[0] == ">      x", style
        assert screen.view().lines[0] == "> hint x"


def test_the_letter_in_a_drawn_cursor_belongs_to_the_hint() -> None:
    screen = Screen(2, 30)
    screen.feed(b"> \x1b[7mT\x1b[0;2mype here\x1b[0m\x1b[1;3H")
    assert screen.view().typed[0] == ">"


def test_line_drawing_letters_are_frames() -> None:
    assert shown(b"\x1b(0lqqk\x1b(B q")[0] == "┌──┐ q"


@needs_tmux
@pytest.mark.parametrize(
    "data",
    [
        b"first\x1b[2M",  # pyte leaves a line where an empty one is to come
        "日本\x1b[1;3Hy".encode(),  # half a wide letter
        ("x" * 23 + "日").encode(),
        b"\x1b7a\x1b8b\x1b8c",  # pyte forgets the place once it was used
        b"one\x1b[2J\x1b[Htwo\x1b[3J",
        b"\x1b[3;5r\x1b[7Hbelow\x1b[1Bx\x1b[1Ay",
        b"a\x1b[1;2Ab\x1b[1;2;3Hc\x1b[99999999d\x1b[5;5xd",
        b"a\x1b[<5ub\x1b[=1;2uc\x1b[?1$pd\x1b[>4;1me\x1b[!pf\x1b F g",
        b"a\x1bXsos\x1b\\b\x1b^pm\x1b\\c\x1b_apc\x1b\\d\x1bPdcs\x1b\\e",
        b"a\x1b[4:3mb\x1b[38:2::9:9:9mc\x1b[58:5:3md\x1b[38;5;300me",
        b"one\x1b[?47htwo\x1b[?47l\r\n\x1b[?1047hx\x1b[?1047lthree",
    ],
)
def test_what_pyte_lacks_is_as_tmux_has_it(data: bytes, tmp_path: pathlib.Path) -> None:
    assert shown(data, 8, 24) == tmux_shows(tmp_path, data, 8, 24)


def test_letters_without_a_width_take_nothing_with_them() -> None:
    # tmux shows them, too, but at places of its own.
    assert [
        letter for letter in shown("a\u200db\u200bc\u200d e\u0301".encode())[0] if letter.isprintable()
    ] == [*"abc e\u0301"]


def test_half_a_wide_letter_is_blank() -> None:
    assert shown("日本\x1b[1;2Hx\x1b[1;3Hy".encode())[0] == " xy"


def test_a_pointers_shape_is_no_title() -> None:
    screen = Screen(2, 20)
    screen.feed(b"\x1b]2;mine\x07\x1b]22;pointer\x07\x1b]10;?\x07")
    assert screen.title == "mine"


def test_a_title_is_kept_and_a_long_string_is_passed_over() -> None:
    screen = Screen(2, 20)
    screen.feed(b"\x1b]0;one\x07a\x1b_G" + b"x" * 20_000)
    states = [screen.between_sequences]
    screen.feed(b"x" * 20_000 + b"\x1b")
    screen.feed(b"\\b")
    assert [*states, screen.between_sequences] == [False, True]
    assert screen.title == "one"
    assert screen.lines()[0] == "ab"


def test_modes_are_known() -> None:
    screen = Screen(2, 20)
    screen.feed(b"\x1b[?2004h\x1b[?1000;1006h\x1b[?25l")
    assert screen.modes == {2004, 1000, 1006}
    assert (screen.bracketed_paste, screen.cursor_hidden) == (True, True)
    screen.feed(b"\x1b[?2004l\x1b[?25h")
    assert (screen.bracketed_paste, screen.cursor_hidden) == (False, False)


def test_of_a_flood_the_end_is_shown_and_the_modes_are_known() -> None:
    backlog = Backlog((5, 40))
    backlog.add(b"\x1b[?2004h\x1b[?1006h")
    backlog.add(b"".join(b"line %d\r\n" % number for number in range(BACKLOG_MAX // 8)) + b"$ ")
    assert backlog.size < BACKLOG_MAX
    assert backlog.screen().lines() == [
        *(f"line {number}" for number in range(BACKLOG_MAX // 8 - 4, BACKLOG_MAX // 8)),
        "$",
    ]
    assert backlog.screen().modes == {2004, 1006}
    assert not backlog.unknown


def test_what_comes_over_hours_is_read_in_between_and_is_no_flood() -> None:
    backlog = Backlog((5, 40))
    backlog.add(b"first\r\n")
    for _ in range(BACKLOG_MAX // 1000 + 10):
        backlog.add(b"\x1b[3;3Hx" * 140)
        while backlog.behind:
            backlog.catch_up()
    assert 0 < backlog.size <= BEHIND
    assert (backlog.screen().lines()[:3], backlog.unknown) == (["first", "", "  x"], False)


def test_a_mistake_in_reading_makes_the_screen_unknown_and_ends_nothing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    backlog = Backlog((5, 40))
    backlog.add(b"\x1b[?2004h\x1b[Hone")
    with monkeypatch.context() as broken:
        broken.delattr("pyte.Screen.draw")
        assert backlog.screen().modes == {2004}
    assert backlog.unknown
    backlog.add(b"\x1b[2J\x1b[Hnew")
    assert (backlog.screen().lines()[0], backlog.unknown) == ("new", False)


def test_a_flood_that_is_no_lines_makes_the_screen_unknown_until_it_is_drawn_anew() -> None:
    backlog = Backlog((5, 40))
    backlog.add(b"\x1b[3;3Hx" * (BACKLOG_MAX // 7 + 10))
    backlog.screen()
    assert backlog.unknown
    backlog.add(b"\x1b[2J\x1b[Hnew")
    assert backlog.screen().lines()[0] == "new"
    assert not backlog.unknown
