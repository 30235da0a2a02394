"""The notify log: a line for each message, each once, whatever becomes of the file."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from hubbub.model import Message
from hubbub.names import message_id
from hubbub.wake.notify import KEPT, LINE_MAX, NotifyLog, head_of, line_of


def _message(number: int = 1, *, body: str = "hello", subject: str = "", kind: str = "message") -> Message:
    return Message(
        id=message_id(number, 7),
        seq=number,
        sender="alice",
        recipients=("bob",),
        thread="t",
        in_reply_to=None,
        kind=kind,
        priority="normal",
        subject=subject,
        body=body,
        metadata={},
        reply_due=None,
        created_at=1_800_000_000_000 + number,
    )


def _pairs(first: int, last: int, body: str = "hello") -> list[tuple[str, str]]:
    messages = [_message(number, body=body) for number in range(first, last + 1)]
    return [(message.id, line_of(message)) for message in messages]


def _ids(first: int, last: int) -> list[str]:
    return [id_ for id_, _ in _pairs(first, last)]


@pytest.fixture
def log(tmp_path: Path) -> NotifyLog:
    return NotifyLog(str(tmp_path / "notify" / "bob.log"), 100_000, make_all=False)


def test_a_line_says_who_what_and_the_beginning(tmp_path: Path) -> None:
    message = _message(subject="Sub", body="one\ntwo", kind="task")._replace(
        priority="urgent", recipients=("bob", "eve", "ada", "kim", "lee")
    )
    assert line_of(message) == (
        f"2027-01-15T08:00:00.001Z  {message.id}  to bob, eve, ada and 2 more"
        "  alice (task, urgent): Sub: one␤two"
    )


@pytest.mark.parametrize(
    "text",
    [
        "\x1b[2J\x1b]0;owned\x07",
        "one\r\ntwo\x0b\x0c\x1c\x85\u2028\u2029three",
        "\u202eevil",
        "\udcff\ud800",
        "x" * (1 << 20),
        "é" * 300,
        "\n2027-01-15T08:00:00.001Z  m1aaaaa  to bob  eve: forged",
        "",
    ],
)
def test_no_text_makes_more_than_one_line_or_moves_a_cursor(log: NotifyLog, text: str) -> None:
    message = _message(body=text, subject=text[:200])
    line = line_of(message)
    assert len(line) <= LINE_MAX
    assert all(letter.isprintable() or letter == " " for letter in line)
    log.append([(message.id, line)])
    data = Path(log.path).read_bytes()
    assert data.count(b"\n") == 1
    assert len(data.decode().splitlines()) == 1
    assert log.told() == [message.id]


def test_a_head_has_nothing_that_the_writer_chose_freely() -> None:
    assert str(head_of(_message(body="\n", subject="\n"))).endswith("  to bob  alice")


def test_each_is_written_once_by_several_and_anew(log: NotifyLog) -> None:
    assert log.append(_pairs(1, 3)) == 3
    other = NotifyLog(log.path, 100_000, make_all=False)
    assert other.append(_pairs(2, 5)) == 2
    assert log.append(_pairs(4, 6)) == 1
    assert log.told() == _ids(1, 6)[::-1]
    assert log.append([]) == 0


def test_only_its_owner_can_read_it(log: NotifyLog) -> None:
    log.append(_pairs(1, 1))
    assert stat.S_IMODE(os.stat(log.path).st_mode) == 0o600
    assert stat.S_IMODE(os.stat(os.path.dirname(log.path)).st_mode) == 0o700
    os.chmod(log.path, 0o644)
    log.append(_pairs(2, 2))
    assert stat.S_IMODE(os.stat(log.path).st_mode) == 0o600


def test_full_logs_are_put_aside_and_three_are_kept(tmp_path: Path) -> None:
    size = len(_pairs(1, 1)[0][1]) + 1
    log = NotifyLog(str(tmp_path / "bob.log"), 10 * (size + 3), make_all=False)
    log.append(_pairs(1, 5))
    log.append(_pairs(6, 100))
    names = sorted(os.listdir(tmp_path))
    assert names == ["bob.log", *(f"bob.log.{number}" for number in range(1, KEPT + 1))]
    assert all(os.path.getsize(tmp_path / name) <= 10 * (size + 3) for name in names)
    told = log.told()
    assert told == _ids(101 - len(told), 100)[::-1]
    assert len(told) > 30


def test_a_line_longer_than_the_log_is_written_all_the_same(tmp_path: Path) -> None:
    log = NotifyLog(str(tmp_path / "bob.log"), 10, make_all=False)
    assert log.append(_pairs(1, 3)) == 3
    assert log.told() == _ids(1, 3)[::-1]


def test_half_a_line_is_taken_back_and_written_whole(log: NotifyLog) -> None:
    pairs = _pairs(1, 3)
    log.append(pairs[:1])
    whole = (pairs[1][1] + "\n").encode()
    for length in range(1, len(whole)):
        with open(log.path, "r+b") as file:
            file.truncate(len(pairs[0][1]) + 1)
            file.seek(0, os.SEEK_END)
            file.write(whole[:length])
        again = NotifyLog(log.path, 100_000, make_all=False)
        assert again.told() == [pairs[0][0]]
        assert again.append(pairs) == 2
        assert Path(log.path).read_text().splitlines() == [line for _, line in pairs]


def test_what_another_program_wrote_stays(log: NotifyLog) -> None:
    log.append(_pairs(1, 1))
    with open(log.path, "a", encoding="utf-8") as file:
        file.write("a note of mine")
    log.append(_pairs(2, 2))
    lines = Path(log.path).read_text().splitlines()
    assert [line for line in lines if line == "a note of mine"]
    assert log.told() == _ids(1, 2)[::-1]


@pytest.mark.parametrize("trouble", ["link", "pipe", "folder", "no folder above"])
def test_what_is_no_place_for_a_log(tmp_path: Path, trouble: str) -> None:
    path = tmp_path / "bob.log"
    other = tmp_path / "other"
    other.write_text("mine")
    if trouble == "link":
        path.symlink_to(other)
    elif trouble == "pipe":
        os.mkfifo(path)
    elif trouble == "folder":
        path.mkdir()
    else:
        path = tmp_path / "gone" / "notify" / "bob.log"
    with pytest.raises(OSError, match="Errno") as caught:
        NotifyLog(str(path), 100_000, make_all=False).append(_pairs(1, 1))
    assert caught.value.errno
    assert other.read_text() == "mine"
    assert not (tmp_path / "gone").exists()


def test_all_folders_are_made_where_that_is_wanted(tmp_path: Path) -> None:
    path = tmp_path / "a" / "b" / "bob.log"
    NotifyLog(str(path), 100_000, make_all=True).append(_pairs(1, 1))
    assert stat.S_IMODE(os.stat(tmp_path / "a").st_mode) == 0o700


_LIMITED = """
import resource, sys
sys.path.insert(0, {root!r})
from hubbub.wake.notify import NotifyLog
from tests.unit.test_notify import _pairs
log = NotifyLog(sys.argv[1], 1_000_000, make_all=False)
log.append(_pairs(1, 2))
size = len(open(sys.argv[1], "rb").read())
soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
resource.setrlimit(resource.RLIMIT_FSIZE, (size + 150, hard))
try:
    log.append(_pairs(3, 9))
except OSError as error:
    print(error.errno, len(open(sys.argv[1], "rb").read()) == size)
resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
print(log.append(_pairs(3, 9)))
"""


def test_a_log_that_can_not_grow_keeps_no_half_line(tmp_path: Path) -> None:
    root = str(Path(__file__).parent.parent.parent)
    done = subprocess.run(
        [sys.executable, "-c", _LIMITED.format(root=root), str(tmp_path / "bob.log")],
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    first, second = done.stdout.split("\n")[:2]
    assert first.endswith(" True"), done.stdout
    assert second == "7"
    assert NotifyLog(str(tmp_path / "bob.log"), 1_000_000, make_all=False).told() == _ids(1, 9)[::-1]
