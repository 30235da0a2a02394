"""What ``receive`` holds is never lost: no reader, no room, signals, and a kill at the worst moment."""

from __future__ import annotations

import contextlib
import os
import random
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.faces.cli_support import DEADLINE, Cli, end, small_pipe, wait_until_listening

BIG = "x" * 200_000
"""More than a pipe holds: its writer blocks until somebody reads."""


@pytest.fixture
def cli(tmp_path: Path) -> Cli:
    return Cli(tmp_path, "alice", "bob")


def shell(cli: Cli, script: str) -> subprocess.CompletedProcess[bytes]:
    """Run ``script`` in a real shell, in which ``$H`` is the command."""
    return subprocess.run(
        ["bash", "-c", script],
        env={**cli.env, "H": f"{sys.executable} -m hubbub", "HUBBUB_AGENT": "bob"},
        cwd=cli.folder,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        timeout=DEADLINE,
        check=False,
    )


@pytest.mark.parametrize("words", ["receive", "receive --json", "receive --wait 5"])
def test_a_closed_standard_output_takes_nothing(cli: Cli, words: str) -> None:
    id_ = cli.send("bob", "precious")
    done = shell(cli, f"$H {words} >&-")
    assert done.returncode == 1
    assert done.stderr.startswith(b"hubbub: Standard output is closed")
    assert b"Traceback" not in done.stderr
    assert cli.state(id_, "bob") == ("queued", 0)


def test_all_streams_closed_harms_neither_mail_nor_file(cli: Cli) -> None:
    id_ = cli.send("bob", "precious")
    assert shell(cli, "$H receive <&- >&- 2>&-").returncode == 1
    assert shell(cli, "$H send alice 'all closed' <&- >&- 2>&-").returncode == 1
    assert cli.state(id_, "bob") == ("queued", 0)
    # That message was accepted before its answer could not be written.
    assert cli.run("receive", "--json", agent="alice").json["messages"][0]["body"] == "all closed"
    with cli.bus() as bus:
        assert bus.check() == []


def test_a_reader_that_left_before_anything_was_written_costs_no_hand_out(cli: Cli) -> None:
    id_ = cli.send("bob", BIG)
    reading, writing = os.pipe()
    os.close(reading)
    process = cli.start("receive", agent="bob", stdout=writing)
    os.close(writing)
    _, err = process.communicate(timeout=DEADLINE)
    assert process.returncode == 1
    assert err.decode().splitlines() == [
        "hubbub: Nobody reads standard output any more. [OUTPUT_FAILED]",
        "  Gave back 1 message: nothing is lost.",
    ]
    assert cli.state(id_, "bob") == ("queued", 0)
    assert cli.run("receive", "--json", agent="bob").json["messages"][0]["body"] == BIG


def test_a_reader_that_left_half_way_gets_it_again_marked(cli: Cli) -> None:
    id_ = cli.send("bob", BIG)
    reading, writing = small_pipe()
    process = cli.start("receive", agent="bob", stdout=writing)
    os.close(writing)
    assert os.read(reading, 10).startswith(id_.encode())
    os.close(reading)
    assert process.wait(DEADLINE) == 1
    assert process.stderr is not None
    process.stderr.close()
    assert cli.state(id_, "bob") == ("queued", 1)
    again = cli.run("receive", "--json", agent="bob").json["messages"][0]
    assert (again["redelivered"], again["body"]) == (True, BIG)


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="this system has no /dev/full")
def test_a_full_device_loses_nothing(cli: Cli) -> None:
    id_ = cli.send("bob", "precious")
    done = shell(cli, "$H receive >/dev/full")
    assert done.returncode == 1
    assert b"No space left" in done.stderr
    assert b"Gave back 1 message" in done.stderr
    assert cli.state(id_, "bob") == ("queued", 0)
    assert shell(cli, "$H who >/dev/full").returncode == 1


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="this system has no /dev/full")
@pytest.mark.parametrize("to", [">/dev/full", ">&-"])
@pytest.mark.parametrize("flag", ["", "--json"])
def test_what_was_done_is_told_when_the_answer_is_lost(cli: Cli, to: str, flag: str) -> None:
    done = shell(cli, f"$H --as alice send bob 'only once' {flag} {to}")
    assert done.returncode == 1
    with cli.bus() as bus:
        (delivery,) = bus.mail.peek("bob").deliveries
    id_ = delivery.message.id
    assert f"It was done all the same: Sent {id_} to bob." in done.stderr.decode()
    for words, told in (
        (f"--as bob reply {id_} yes", f"to alice. Settled {id_}."),
        ("register carol", "Registered carol."),
        ("unregister carol", "Unregistered carol."),
        ("backup copy.db", "copy.db: "),
    ):
        done = shell(cli, f"$H {words} {flag} {to}")
        assert done.returncode == 1
        assert "It was done all the same: " in done.stderr.decode()
        assert told in done.stderr.decode()
    changed_nothing = shell(cli, f"$H who {flag} {to}")
    assert changed_nothing.returncode == 1
    assert b"done all the same" not in changed_nothing.stderr


def test_other_commands_end_quietly_when_their_reader_left(cli: Cli) -> None:
    with cli.bus() as bus:
        actor = bus.agents.attach("alice")
        bus.mail.send(actor, bus.mail.draft("bob", BIG, thread="talk"))
    done = shell(cli, "set -o pipefail; $H thread talk | head -c 10")
    assert (done.returncode, done.stderr) == (141, b"")


def blocked(cli: Cli, id_: str, *words: str) -> tuple[subprocess.Popen[bytes], int]:
    """A ``receive`` that has leased ``id_`` and is stuck in writing it; and the pipe it writes to."""
    reading, writing = small_pipe()
    process = cli.start("receive", *words, agent="bob", stdout=writing)
    os.close(writing)
    assert os.read(reading, 1)  # it has begun to write, so that the lease is there
    assert cli.state(id_, "bob") == ("leased", 1)
    return process, reading


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_while_holding_gives_back(cli: Cli, number: signal.Signals) -> None:
    id_ = cli.send("bob", BIG)
    process, reading = blocked(cli, id_)
    try:
        assert end(process, number) == 128 + number
        _, err = process.communicate(timeout=DEADLINE)
    finally:
        os.close(reading)
    assert err == b""
    assert cli.state(id_, "bob") == ("queued", 1)
    assert cli.run("receive", "--json", agent="bob").json["messages"][0]["redelivered"] is True


def test_a_kill_between_lease_and_settlement_loses_nothing(cli: Cli) -> None:
    id_ = cli.send("bob", BIG)
    process, reading = blocked(cli, id_)
    assert end(process, signal.SIGKILL) == -signal.SIGKILL
    process.communicate(timeout=DEADLINE)
    os.close(reading)
    assert cli.state(id_, "bob") == ("leased", 1)
    assert cli.run("receive", agent="bob").status == 4
    with cli.bus(later=61) as bus:
        (again,) = bus.mail.receive(bus.agents.attach("bob")).deliveries
        assert (again.message.id, again.redelivered, again.message.body) == (id_, True, BIG)
        assert "lease ran out" in again.reasons[0]
        assert bus.check() == []


def test_a_lease_of_ones_own_choice(cli: Cli) -> None:
    id_ = cli.send("bob", BIG)
    process, reading = blocked(cli, id_, "--lease", "600")
    end(process)
    process.communicate(timeout=DEADLINE)
    os.close(reading)
    with cli.bus(later=500) as bus:
        assert bus.mail.receive(bus.agents.attach("bob")).deliveries == ()
    with cli.bus(later=601) as bus:
        assert bus.mail.receive(bus.agents.attach("bob")).deliveries[0].message.id == id_


def test_settled_elsewhere_meanwhile_is_no_error(cli: Cli) -> None:
    first = cli.send("bob", BIG)
    second = cli.send("bob", "small")
    process, reading = blocked(cli, first)
    with cli.bus() as bus:
        bus.mail.acknowledge(bus.agents.attach("bob"), first)
    while os.read(reading, 1 << 16):
        pass
    os.close(reading)
    _, err = process.communicate(timeout=DEADLINE)
    assert (process.returncode, err) == (0, b"")
    assert cli.state(first, "bob") == ("settled", 1)
    assert cli.state(second, "bob") == ("settled", 1)


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
def test_ending_a_waiter_loses_nothing_that_comes_after(cli: Cli, number: signal.Signals) -> None:
    process = cli.start("receive", "--wait", agent="bob")
    wait_until_listening(process)
    status = end(process, number)
    out, err = process.communicate(timeout=DEADLINE)
    assert status == (-number if number == signal.SIGKILL else 128 + number)
    assert (out, err) == (b"", b"")
    id_ = cli.send("bob", "after")
    assert cli.state(id_, "bob") == ("queued", 0)
    assert cli.run("receive", "--json", agent="bob").json["messages"][0]["id"] == id_


def test_two_waiters_share_without_doubling(cli: Cli) -> None:
    waiters = [cli.start("receive", "--wait", "60", "--limit", "1", "--json", agent="bob") for _ in range(2)]
    try:
        for waiter in waiters:
            wait_until_listening(waiter)
        ids = {cli.send("bob", "one"), cli.send("bob", "two")}
        outputs = [waiter.communicate(timeout=DEADLINE)[0].decode() for waiter in waiters]
    finally:
        for waiter in waiters:
            end(waiter)
    assert [sum(id_ in output for output in outputs) for id_ in ids] == [1, 1]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_an_end_at_any_moment_loses_nothing(cli: Cli, number: signal.Signals) -> None:
    with cli.bus() as bus:
        actor = bus.agents.attach("alice")
        ids = [bus.mail.send(actor, bus.mail.draft("bob", f"n{n}")).id for n in range(60)]
    dice = random.Random(number)
    shown = b""
    for _ in range(30):
        process = cli.start("receive", "--limit", "2", agent="bob")
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(dice.uniform(0.02, 0.15))
        end(process, number)
        out, err = process.communicate(timeout=DEADLINE)
        assert process.returncode in (0, -number, 128 + number), err
        shown += out
    with cli.bus() as bus:
        for id_ in ids:
            (place,) = bus.mail.whereabouts(id_).recipients
            if place.state == "settled":
                assert id_.encode() in shown
            else:
                assert place.state in ("queued", "leased")
        assert bus.check() == []
    with cli.bus(later=61) as bus:
        left = bus.mail.receive(bus.agents.attach("bob"), limit=100).deliveries
        assert {delivery.message.id for delivery in left} == {
            id_ for id_ in ids if bus.mail.whereabouts(id_).recipients[0].state != "settled"
        }
