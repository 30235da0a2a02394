"""sync: posting and reading in a topic, and never losing what was handed out."""

from __future__ import annotations

import contextlib
import json
import os
import random
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from tests.faces.cli_support import (
    DEADLINE,
    Answer,
    Cli,
    ageless,
    end,
    post,
    small_pipe,
    wait_until_listening,
)
from tests.faces.test_cli_holding import BIG, shell

needs_full = pytest.mark.skipif(not os.path.exists("/dev/full"), reason="this system has no /dev/full")


@pytest.fixture
def cli(tmp_path: Path) -> Cli:
    made = Cli(tmp_path, "alice", "bob")
    with made.bus() as bus:
        bus.topics.create(bus.agents.attach("alice"), "review")
    return made


def place(cli: Cli, agent: str = "bob") -> tuple[int, int]:
    """Cursor and position of a member: up to where it is done, and up to where it was handed something."""
    with cli.bus() as bus:
        (member,) = [each for each in bus.topics.members("review") if each.agent == agent]
    return member.cursor, member.position


def bodies(answer: Answer) -> list[str]:
    return [message["body"] for message in answer.json["messages"]]


# --- posting and reading ---------------------------------------------------------------------------


def test_a_sync_posts_reads_and_goes_on_where_it_ended(cli: Cli) -> None:
    sent = cli.run("sync", "review", "--post", "one", "--post", "two", agent="alice")
    assert (sent.status, sent.out.startswith("Posted p")) == (0, True)
    assert sent.out.endswith(" as number 2 in #review.\n")
    got = cli.run("sync", "#review", "--post", "three", "--json", agent="bob").json
    assert [message["body"] for message in got["messages"]] == ["one", "two"]
    assert [posted["seq"] for posted in got["posted"]] == [3]
    assert got["joined"] is True
    assert place(cli) == (3, 3)
    nothing = cli.run("sync", "review", agent="bob")
    assert (nothing.status, nothing.out) == (4, "")
    as_json = cli.run("sync", "review", "--json", agent="bob")
    assert (as_json.status, as_json.json["messages"], as_json.json["has_more"]) == (4, [], False)
    assert bodies(cli.run("sync", "review", "--json", agent="alice")) == ["three"]


def test_what_is_posted_is_described(cli: Cli) -> None:
    (first,) = post(cli, "review", "question")
    words = ["-k", "answer", "--reply-to", first, "--metadata", '{"a": 1}']
    cli.run("sync", "review", "--post", "yes", *words, agent="bob")
    (message,) = cli.run("topic", "read", "review", "--last", "1", "--json").json["messages"]
    assert (message["kind"], message["reply_to"], message["metadata"]) == ("answer", first, {"a": 1})
    text = cli.run("sync", "review", agent="alice").out
    assert " #review 2 from bob: answer, " in text
    assert f"  In reply to: {first}\n" in text
    assert '  Metadata: {"a": 1}\n' in text


def test_bodies_from_standard_input_and_files(cli: Cli) -> None:
    (cli.folder / "note.md").write_text("# from a file\n")
    words = ["--post", "-", "--post", "@note.md", "--post", "@@bob", "--json"]
    assert cli.run("sync", "review", *words, agent="alice", stdin="naïve\r\n".encode()).status == 0
    got = cli.run("sync", "review", "--json", agent="bob")
    assert bodies(got) == ["naïve\r\n", "# from a file\n", "@bob"]


def test_a_key_posts_once(cli: Cli) -> None:
    words = ["sync", "review", "--post", "one", "--post", "two", "--key", "k"]
    first = cli.run(*words, "--json", agent="alice").json["posted"]
    again = cli.run(*words, "--json", agent="alice").json["posted"]
    assert [each["id"] for each in again] == [each["id"] for each in first]
    assert [each.get("repeated") for each in again] == [True, True]
    assert "(already posted: same key)" in cli.run(*words, agent="alice").out
    other = cli.run("sync", "review", "--post", "other", "--key", "k", agent="alice")
    assert (other.status, other.code) == (2, "IDEMPOTENCY_MISMATCH")
    assert bodies(cli.run("sync", "review", "--json", agent="bob")) == ["one", "two"]


def test_more_than_fits_into_one_answer(cli: Cli) -> None:
    post(cli, "review", *[f"n{number}" for number in range(30)])
    first = cli.run("sync", "review", agent="bob")
    assert first.out.count(" from alice: ") == 20
    assert first.out.endswith("There is more: sync again.\n")
    assert bodies(cli.run("sync", "review", "--json", agent="bob")) == [f"n{n}" for n in range(20, 30)]


def test_the_manual_mode_gives_the_same_until_acknowledged(cli: Cli) -> None:
    post(cli, "review", "one", "two")
    for _ in range(2):
        again = cli.run("sync", "review", "--manual", "--limit", "1", "--json", agent="bob")
        assert (bodies(again), again.json["through"]) == (["one"], 1)
    text = cli.run("sync", "review", "--manual", "--limit", "1", agent="bob").out
    assert "These come again until: hubbub sync review --manual --ack-through 1\n" in text
    assert bodies(cli.run("sync", "review", "--manual", "--ack-through", "1", "--json", agent="bob")) == [
        "two"
    ]
    assert cli.run("sync", "review", "--manual", "--ack-through", "2", agent="bob").status == 4
    assert place(cli) == (2, 2)


WRONG = [
    (["--limit", "0"], "INVALID_ARGUMENT", 2),
    (["--limit", "1000000000"], "INVALID_ARGUMENT", 2),
    (["--limit", "many"], "USAGE", 2),
    (["--wait", "-1"], "INVALID_ARGUMENT", 2),
    (["--wait", "nan"], "INVALID_ARGUMENT", 2),
    (["--lease", "0"], "INVALID_ARGUMENT", 2),
    (["--post", ""], "INVALID_ARGUMENT", 2),
    (["--post", "x", "-k", "Not A Kind"], "INVALID_ARGUMENT", 2),
    (["--post", "x", "--metadata", "[]"], "INVALID_ARGUMENT", 2),
    (["--post", "x", "--reply-to", "p9zzzzz"], "REPLY_NOT_FOUND", 3),
    (["--post", "x", "--key", "a\nb"], "INVALID_ARGUMENT", 2),
    (["--post", "-", "--post", "-"], "USAGE", 2),
    (["--reply-to", "p9zzzzz"], "USAGE", 2),
    (["--ack-through", "1"], "USAGE", 2),
    (["--manual", "--ack-through", "99"], "CURSOR_OUT_OF_RANGE", 2),
    (["--post", "@no-such-file"], "NOT_FOUND", 3),
    (["--post", "x"] * 51, "INVALID_ARGUMENT", 2),
]


@pytest.mark.parametrize(("words", "code", "status"), WRONG, ids=lambda value: str(value)[:40])
def test_what_can_not_be_meant_posts_nothing(cli: Cli, words: list[str], code: str, status: int) -> None:
    answer = cli.run("sync", "review", *words, agent="bob")
    assert (answer.code, answer.status, answer.out) == (code, status, "")
    assert cli.run("sync", "review", *words, "--json", agent="bob").json["error"]["code"] == code
    assert cli.run("topic", "show", "review", "--json").json["topic"]["messages"] == 0


def test_a_text_without_its_option_is_told_how(cli: Cli) -> None:
    refused = cli.run("sync", "review", "hello", agent="bob")
    assert (refused.status, refused.code) == (2, "USAGE")
    assert "--post TEXT" in refused.err


def test_too_large_a_message(cli: Cli) -> None:
    big = cli.run("sync", "review", "--post", "-", agent="bob", stdin=b"x" * (1 << 20) + b"y")
    assert (big.status, big.code) == (2, "MESSAGE_TOO_LARGE")
    fits = cli.run("sync", "review", "--post", "-", agent="bob", stdin=b"x" * (1 << 20))
    assert fits.status == 0


# --- many at once, and waiting ---------------------------------------------------------------------


def test_forty_posts_at_once_are_numbered_one_to_forty(cli: Cli) -> None:
    answers: list[Answer] = []

    def one(number: int) -> None:
        who = "alice" if number % 2 else "bob"
        answers.append(cli.run("sync", "review", "--post", f"n{number}", "--json", agent=who))

    threads = [threading.Thread(target=one, args=(number,)) for number in range(40)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(DEADLINE * 2)
    assert [answer.status for answer in answers] == [0] * 40
    assert sorted(answer.json["posted"][0]["seq"] for answer in answers) == list(range(1, 41))
    kept = cli.run("topic", "read", "review", "--json").json["messages"]
    assert [message["seq"] for message in kept] == list(range(1, 41))
    assert sorted(message["body"] for message in kept) == sorted(f"n{number}" for number in range(40))


def test_a_waiter_is_woken_by_a_message(cli: Cli) -> None:
    waiting = cli.start("sync", "review", "--wait", "--json", agent="bob")
    wait_until_listening(waiting)
    post(cli, "review", "wake up")
    out, err = waiting.communicate(timeout=DEADLINE)
    assert (waiting.returncode, err) == (0, b"")
    assert b'"wake up"' in out
    assert place(cli) == (1, 1)


def test_a_close_ends_the_wait_and_says_why(cli: Cli) -> None:
    waiting = cli.start("sync", "review", "--wait", agent="bob")
    wait_until_listening(waiting)
    cli.run("topic", "close", "review", "--reason", "All is merged.", agent="alice")
    out, err = waiting.communicate(timeout=DEADLINE)
    assert (waiting.returncode, err) == (4, b"")
    assert ageless(out.decode()).splitlines()[-1] == "#review was closed by alice AGO: All is merged."
    refused = cli.run("sync", "review", "--post", "late", agent="bob")
    assert (refused.status, refused.code) == (1, "TOPIC_CLOSED")


def test_a_deletion_ends_the_wait(cli: Cli) -> None:
    waiting = cli.start("sync", "review", "--wait", agent="bob")
    wait_until_listening(waiting)
    cli.run("topic", "delete", "review", "--yes", agent="alice")
    out, err = waiting.communicate(timeout=DEADLINE)
    assert (waiting.returncode, out) == (3, b"")
    assert b"[TOPIC_NOT_FOUND]" in err


@pytest.mark.parametrize("flag", [[], ["--json"]])
def test_who_breaks_off_a_wait_is_told_what_was_posted(cli: Cli, flag: list[str]) -> None:
    waiting = cli.start("sync", "review", "--post", "mine", "--wait", *flag, agent="bob")
    wait_until_listening(waiting)
    status = end(waiting, signal.SIGINT)
    out, err = waiting.communicate(timeout=DEADLINE)
    assert (status, err) == (130, b"")
    (posted,) = cli.run("topic", "read", "review", "--json").json["messages"]
    if flag:
        assert json.loads(out)["posted"] == [{"id": posted["id"], "seq": 1}]
    else:
        assert out.decode() == f"Joined #review.\nPosted {posted['id']} as number 1 in #review.\n"


def test_what_was_posted_is_told_once(cli: Cli) -> None:
    waiting = cli.start("sync", "review", "--post", "mine", "--wait", agent="bob")
    wait_until_listening(waiting)
    post(cli, "review", "answer")
    out, err = waiting.communicate(timeout=DEADLINE)
    assert (waiting.returncode, err) == (0, b"")
    assert out.decode().splitlines()[0] == "Joined #review."
    assert out.count(b"Posted ") == 1
    assert b"  answer\n" in out


def test_a_wait_ends_by_itself(cli: Cli) -> None:
    assert cli.run("sync", "review", "--wait", "0.05", agent="bob").status == 4


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGKILL])
def test_ending_a_waiter_loses_nothing_that_comes_after(cli: Cli, number: signal.Signals) -> None:
    waiting = cli.start("sync", "review", "--wait", agent="bob")
    wait_until_listening(waiting)
    status = end(waiting, number)
    out, err = waiting.communicate(timeout=DEADLINE)
    assert status == (-number if number == signal.SIGKILL else 128 + number)
    assert (out, err) == (b"", b"")
    post(cli, "review", "after")
    assert bodies(cli.run("sync", "review", "--json", agent="bob")) == ["after"]


# --- what was handed out and not written -------------------------------------------------------------


def blocked(cli: Cli, *words: str) -> tuple[subprocess.Popen[bytes], int]:
    """A ``sync`` that was handed a message and is stuck in writing it; and the pipe it writes to."""
    reading, writing = small_pipe()
    process = cli.start("sync", "review", *words, agent="bob", stdout=writing)
    os.close(writing)
    assert os.read(reading, 1)  # it has begun to write, so that it has the range
    assert place(cli) == (0, 1)
    return process, reading


def test_a_kill_between_hand_out_and_flush_loses_nothing(cli: Cli) -> None:
    post(cli, "review", BIG)
    process, reading = blocked(cli)
    assert end(process) == -signal.SIGKILL
    process.communicate(timeout=DEADLINE)
    os.close(reading)
    assert cli.run("sync", "review", agent="bob").status == 4  # it is still in hand
    with cli.bus(later=61) as bus:
        again = bus.topics.sync(bus.agents.attach("bob"), "review")
        assert ([message.body for message in again.messages], again.redelivered) == ([BIG], True)
        assert bus.check() == []


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_while_holding_gives_back(cli: Cli, number: signal.Signals) -> None:
    post(cli, "review", BIG)
    process, reading = blocked(cli)
    try:
        assert end(process, number) == 128 + number
        assert process.communicate(timeout=DEADLINE)[1] == b""
    finally:
        os.close(reading)
    again = cli.run("sync", "review", "--json", agent="bob")
    assert (bodies(again), again.json["redelivered"]) == ([BIG], True)


def test_a_reader_that_left_half_way_gets_it_again_marked(cli: Cli) -> None:
    post(cli, "review", BIG)
    process, reading = blocked(cli)
    os.close(reading)
    _, err = process.communicate(timeout=DEADLINE)
    assert process.returncode == 1
    assert b"Gave back 1 message: nothing is lost." in err
    text = cli.run("sync", "review", agent="bob").out
    assert text.splitlines()[0].endswith(" (redelivered)")
    assert place(cli) == (1, 1)


def test_a_reader_that_left_before_anything_was_written_costs_no_mark(cli: Cli) -> None:
    post(cli, "review", BIG)
    reading, writing = os.pipe()
    os.close(reading)
    process = cli.start("sync", "review", agent="bob", stdout=writing)
    os.close(writing)
    process.communicate(timeout=DEADLINE)
    assert process.returncode == 1
    assert "redelivered" not in cli.run("sync", "review", "--json", agent="bob").json


@needs_full
@pytest.mark.parametrize("flag", ["", "--json"])
def test_a_full_device_loses_nothing_and_tells_what_was_posted(cli: Cli, flag: str) -> None:
    post(cli, "review", "precious")
    done = shell(cli, f"$H sync review {flag} >/dev/full")
    assert (done.returncode, done.stdout) == (1, b"")
    assert b"No space left" in done.stderr
    assert b"Gave back 1 message: nothing is lost." in done.stderr
    done = shell(cli, f"$H sync review --manual {flag} >/dev/full")
    assert (done.returncode, b"Gave back" in done.stderr) == (1, False)
    done = shell(cli, f"$H sync review --post mine {flag} >/dev/full")
    assert b"It was done all the same: Posted p" in done.stderr
    assert b"in #review. Gave back 1 message: nothing is lost." in done.stderr
    got = cli.run("sync", "review", "--json", agent="bob")
    assert (bodies(got), "redelivered" in got.json) == (["precious"], False)
    assert bodies(cli.run("sync", "review", "--json", agent="alice")) == ["mine"]


def test_a_closed_standard_output_takes_and_posts_nothing(cli: Cli) -> None:
    post(cli, "review", "precious")
    done = shell(cli, "$H sync review --post mine >&-")
    assert done.returncode == 1
    assert b"Standard output is closed" in done.stderr
    got = cli.run("sync", "review", "--json", agent="bob")
    assert bodies(got) == ["precious"]
    assert cli.run("topic", "show", "review", "--json").json["topic"]["messages"] == 1


def test_two_readers_of_one_agent_share_without_doubling(cli: Cli) -> None:
    words = ["sync", "review", "--wait", "60", "--limit", "1", "--json"]
    waiters = [cli.start(*words, agent="bob") for _ in range(2)]
    try:
        for waiter in waiters:
            wait_until_listening(waiter)
        post(cli, "review", "only once")
        post(cli, "review", "the second")
        outputs = [waiter.communicate(timeout=DEADLINE)[0].decode() for waiter in waiters]
    finally:
        for waiter in waiters:
            end(waiter)
            waiter.communicate(timeout=DEADLINE)
    assert [sum(body in output for output in outputs) for body in ("only once", "the second")] == [1, 1]


def test_an_end_at_any_moment_loses_nothing(cli: Cli) -> None:
    """Readers killed at every stage of their short lives: each message is read at least once."""
    sent = [f"n{number}" for number in range(60)]
    post(cli, "review", *sent[:40])
    post(cli, "review", *sent[40:])
    dice = random.Random(7)
    shown = b""
    for _ in range(30):
        process = cli.start("sync", "review", "--limit", "2", "--lease", "1", "--json", agent="bob")
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(dice.uniform(0.02, 0.12))
        end(process)
        shown += process.communicate(timeout=DEADLINE)[0]
    with cli.bus(later=10) as bus:
        actor = bus.agents.attach("bob")
        while (synced := bus.topics.sync(actor, "review")).messages:
            shown += "".join(f'"{message.body}"' for message in synced.messages).encode()
            assert synced.hand is not None
            bus.topics.confirm(actor, (synced.hand,))
        assert bus.check() == []
    assert [body for body in sent if f'"{body}"'.encode() not in shown] == []


def test_what_one_prints_another_posts(cli: Cli) -> None:
    post(cli, "review", "over the pipe")
    done = subprocess.run(
        [
            "bash",
            "-c",
            "set -o pipefail; $H sync review --as bob | $H sync review --post - --as alice",
        ],
        env={**cli.env, "H": f"{sys.executable} -m hubbub"},
        cwd=cli.folder,
        capture_output=True,
        timeout=DEADLINE,
        check=True,
    )
    assert done.stderr == b""
    assert "  over the pipe" in bodies(cli.run("sync", "review", "--json", agent="bob"))[0]
