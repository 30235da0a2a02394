"""monitor: an agent is kept online, and each of its messages is told once, with real processes."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import stat
import subprocess
from pathlib import Path

import pytest

from mcp import Client
from tests.faces.cli_support import DEADLINE, Cli, end, wait_until_listening
from tests.faces.mcp_support import over_client, use
from tests.faces.monitor_support import Monitor


@pytest.fixture
def cli(tmp_path: Path) -> Cli:
    return Cli(tmp_path, "alice", "bob")


def _send(cli: Cli, count: int, body: str = "hello", *, settled: bool = False) -> list[str]:
    """Send messages from alice to bob, without the command line: it is quick; the ids."""
    with cli.bus() as bus:
        alice = bus.agents.attach("alice")
        ids = [bus.mail.send(alice, bus.mail.draft("bob", f"{body} {number}")).id for number in range(count)]
        if settled:
            bus.mail.acknowledge(bus.agents.attach("bob"), ids)
        return ids


def test_it_keeps_the_agent_online_and_tells_of_its_mail(cli: Cli) -> None:
    monitor = Monitor(cli)
    try:
        ids = _send(cli, 2)
        monitor.wait_for(ids)
        assert monitor.lines()[0].endswith(f"Z  {ids[0]}  to bob  alice: hello 0")
        with cli.bus() as bus:
            (standing,) = bus.presence.standing("bob")
            assert (standing.kind, standing.agent) == ("monitor", "bob")
            pinged = bus.presence.ping(None, "bob")
            assert (pinged.pong.by, pinged.pong.session) == ("monitor", None)
            assert (pinged.agent.queued, pinged.agent.leased) == (2, 0)  # it took nothing
            assert pinged.agent.session is None
        assert monitor.log == Path(f"{cli.path}-notify/bob.log")
        assert stat.S_IMODE(monitor.log.stat().st_mode) == 0o600
        assert stat.S_IMODE(monitor.log.parent.stat().st_mode) == 0o700
    finally:
        status = monitor.end()
    assert status == 128 + signal.SIGTERM
    with cli.bus() as bus:
        assert bus.presence.standing("bob") == []
        assert bus.agents.get("bob").last_seen_at is not None
    assert monitor.complaints.read_text() == ""


def test_mail_to_several_is_told_and_a_new_start_goes_on_behind_it(cli: Cli) -> None:
    cli.run("register", "carol")
    monitor = Monitor(cli)
    try:
        ids = [cli.send(to, "hello") for to in ("bob", "bob,carol", "*", "bob", "carol,bob")]
        cli.send("carol", "not to bob")
        cli.send("alice,carol", "from bob", agent="bob")
        monitor.wait_for(ids)
    finally:
        monitor.end()
    ids.append(cli.send("*", "meanwhile"))
    again = Monitor(cli)
    try:
        ids.append(cli.send("bob", "after that"))
        again.wait_for(ids)
    finally:
        again.end()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGHUP])
def test_it_steps_down_whatever_ends_it(cli: Cli, number: signal.Signals) -> None:
    monitor = Monitor(cli)
    assert monitor.end(number) == 128 + number
    with cli.bus() as bus:
        assert bus.presence.standing() == []


def test_a_second_one_says_who_is_first_and_ends_well(cli: Cli) -> None:
    monitor = Monitor(cli)
    try:
        second = cli.run("monitor", "bob", "--json")
        assert (second.status, second.err) == (0, "")
        assert second.json["started"] is False
        assert f"/{monitor.process.pid}/" in second.json["holder"]["process"]
        assert str(monitor.process.pid) in cli.run("monitor", agent="bob").out
        other = Monitor(cli, agent="alice")  # another agent's is another slot
        assert other.end() == 143
    finally:
        monitor.end()


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (["monitor", "bobb"], "NOT_REGISTERED"),
        (["monitor", "Bob!"], "INVALID_NAME"),
        (["monitor"], "NO_AGENT_NAME"),
    ],
)
def test_whom_it_can_not_stand_by(cli: Cli, words: list[str], code: str) -> None:
    refused = cli.run(*words)
    assert refused.status != 0
    assert refused.code == code
    assert "hubbub" in refused.err.splitlines()[1] or "name" in refused.err
    assert not Path(f"{cli.path}-notify").exists()


def test_without_a_bus_it_makes_none(tmp_path: Path) -> None:
    cli = Cli(tmp_path)
    assert cli.run("monitor", "bob").code == "BUS_NOT_FOUND"
    assert os.listdir(tmp_path) == []


def test_a_new_log_begins_with_what_waits(cli: Cli) -> None:
    _send(cli, 3, "old", settled=True)
    waiting = _send(cli, 2, "waits")
    monitor = Monitor(cli)
    try:
        monitor.wait_for(waiting)
        more = _send(cli, 1, "new")
        monitor.wait_for(waiting + more)
    finally:
        monitor.end()
    later = _send(cli, 2, "settled in between", settled=True)
    monitor = Monitor(cli)  # its log is there: nothing is left out
    try:
        monitor.wait_for(waiting + more + later)
    finally:
        monitor.end()


def test_killed_at_any_moment_it_leaves_out_nothing_and_says_nothing_twice(cli: Cli) -> None:
    sent: list[str] = []
    for _ in range(6):
        monitor = Monitor(cli)
        sent += _send(cli, 40)  # it is killed while it writes of them, or before
        assert monitor.end(signal.SIGKILL) == -signal.SIGKILL
    monitor = Monitor(cli)
    try:
        monitor.wait_for(sent)
    finally:
        monitor.end()


def test_a_thousand_at_once(cli: Cli) -> None:
    monitor = Monitor(cli)
    try:
        with cli.bus() as bus:
            bus.agents.register("bob", inbox_limit=2000)
        monitor.wait_for(_send(cli, 1000))
    finally:
        monitor.end()


def test_it_rotates_while_it_writes(cli: Cli) -> None:
    cli.env["HUBBUB_MONITOR_LOG_BYTES"] = "10000"
    monitor = Monitor(cli)
    try:
        ids = _send(cli, 300)
        monitor.wait_for(ids)
        assert Path(f"{monitor.log}.1").stat().st_size <= 10_000
    finally:
        monitor.end()


@pytest.mark.parametrize("way", ["removed", "a file"])
def test_a_folder_that_vanishes_costs_no_line(cli: Cli, way: str) -> None:
    monitor = Monitor(cli)
    folder, aside = monitor.log.parent, cli.folder / "aside"
    try:
        before = _send(cli, 2)
        monitor.wait_for(before)
        folder.rename(aside)
        if way == "removed":
            shutil.rmtree(aside)
            monitor.wait_for(_send(cli, 2))  # in a new one
            assert monitor.complaints.read_text() == ""
            return
        folder.write_text("in the way")
        meanwhile = _send(cli, 3)
        monitor.wait_for_complaint("can't be written")
        with cli.bus() as bus:
            assert "can't" in bus.presence.ping(None, "bob").pong.state
        meanwhile += _send(cli, 3)
        folder.unlink()
        aside.rename(folder)
        monitor.wait_for(before + meanwhile)
        monitor.wait_for_complaint("is written again")
        assert monitor.complaints.read_text().count("can't be written") == 1
    finally:
        monitor.end()


def test_a_bus_that_is_moved_away_and_back(cli: Cli) -> None:
    monitor = Monitor(cli, "--log", str(cli.folder / "bob.log"))
    away = cli.folder / "away"
    away.mkdir()
    parts = [part for part in cli.folder.glob("bus.db*") if part.is_file()]
    try:
        before = _send(cli, 2)
        monitor.wait_for(before)
        for part in parts:
            part.rename(away / part.name)
        monitor.wait_for_complaint("moved away")
        assert not cli.path.exists()
        for part in parts:
            (away / part.name).rename(part)
        monitor.wait_for_complaint("is there again")
        monitor.wait_for(before + _send(cli, 2))
        with cli.bus() as bus:
            assert bus.presence.ping(None, "bob").pong.by == "monitor"
            assert len(bus.presence.standing("bob")) == 1
    finally:
        monitor.end()


def test_a_copy_that_is_put_back(cli: Cli) -> None:
    monitor = Monitor(cli, "--log", str(cli.folder / "bob.log"))
    damaged = cli.folder / "damaged"
    damaged.mkdir()
    try:
        before = _send(cli, 2)
        monitor.wait_for(before)
        assert cli.run("backup", "copy.db").status == 0
        lost = _send(cli, 3, "not in the copy")
        monitor.wait_for(before + lost)
        for end_ in ("", "-wal", "-shm"):
            (cli.folder / f"bus.db{end_}").rename(damaged / f"bus.db{end_}")
        shutil.copy(cli.folder / "copy.db", cli.folder / "next.db")
        (cli.folder / "next.db").rename(cli.path)
        monitor.wait_for_complaint("is there again")
        monitor.wait_for(before + lost + _send(cli, 3, "after it"))
        with cli.bus() as bus:
            assert len(bus.presence.standing("bob")) == 1
            assert bus.check() == []
    finally:
        monitor.end()


def test_one_that_stood_still_gives_way_and_writes_nothing_twice(cli: Cli) -> None:
    first = Monitor(cli)
    second = None
    try:
        first.process.send_signal(signal.SIGSTOP)
        os.waitid(os.P_PID, first.process.pid, os.WSTOPPED)
        with cli.bus() as bus:  # as housekeeping does when it was not heard of
            (standing,) = bus.presence.standing("bob")
            bus.store.presence.step_down(standing.id)
        second = Monitor(cli, complaints=cli.folder / "second.err")
        ids = _send(cli, 5)
        second.wait_for(ids)
        first.process.send_signal(signal.SIGCONT)
        assert first.process.wait(DEADLINE) == 0
        assert str(second.process.pid) in first.complaints.read_text()
        assert second.ids() == ids
    finally:
        first.end(signal.SIGKILL)
        if second is not None:
            second.end()


@pytest.mark.parametrize("first", ["monitor", "server"])
def test_a_server_beside_it_takes_the_name_and_leaves_it(cli: Cli, first: str) -> None:
    started = [Monitor(cli)] if first == "monitor" else []
    ids = _send(cli, 1)

    async def play(client: Client) -> None:
        if not started:
            started.append(Monitor(cli))
        received = await use(client, "receive_messages")
        assert [message["id"] for message in received["messages"]] == ids
        with cli.bus() as bus:
            agent = bus.agents.get("bob")
            assert agent.session is not None
            assert [each.kind for each in bus.presence.standing("bob")].count("monitor") == 1
            assert bus.presence.ping(None, "bob").agent.name == "bob"

    try:
        over_client(cli.url, "legacy", ["bob"], play)
        started[0].wait_for(ids + _send(cli, 1))
        with cli.bus() as bus:
            assert bus.agents.get("bob").session is None
            assert [each.kind for each in bus.presence.standing("bob")] == ["monitor"]
    finally:
        for monitor in started:
            monitor.end()


HOSTILE = ["\x1b[2J\x1b]0;owned\x07", "a\nb\r\n\u2028c", "\u202eevil\x9b31m", "y" * 900_000]


def test_hostile_text_is_one_safe_line_and_watch_says_the_same(cli: Cli) -> None:
    monitor = Monitor(cli)
    try:
        sent = [cli.send("bob", body, "--kind", "task", "--priority", "urgent") for body in HOSTILE]
        monitor.wait_for(sent)
        lines = monitor.lines()
    finally:
        monitor.end()
    assert all(letter.isprintable() for line in lines for letter in line)
    assert all(len(line) <= 240 and "  alice (task, urgent): " in line for line in lines)
    watching = cli.start("watch", "--mail", "bob", "--last", "9", agent="bob")
    try:
        wait_until_listening(watching)
        assert watching.stdout is not None
        assert [watching.stdout.readline().decode().rstrip("\n") for _ in lines] == lines
    finally:
        end(watching)
        watching.communicate(timeout=DEADLINE)


def test_the_log_is_where_the_configuration_says(cli: Cli) -> None:
    (cli.folder / ".hubbub.toml").write_text('[monitor]\nlog = "notify/deep/{agent}.log"\n')
    monitor = Monitor(cli)
    try:
        ids = _send(cli, 1)
        monitor.wait_for(ids)
        assert monitor.log == cli.folder / "notify" / "deep" / "bob.log"
    finally:
        monitor.end()
    cli.env["HUBBUB_MONITOR_LOG"] = "notify"
    refused = cli.run("monitor", "bob")
    assert (refused.status, refused.code) == (6, "INVALID_CONFIG")


def test_two_agents_in_one_log(cli: Cli) -> None:
    both = [Monitor(cli, "--log", "all.log", agent=name) for name in ("alice", "bob")]
    try:
        with cli.bus() as bus:
            alice, bob = (bus.agents.attach(name) for name in ("alice", "bob"))
            ids = []
            for number in range(20):
                ids.append(bus.mail.send(alice, bus.mail.draft("bob", f"{number}")).id)
                ids.append(bus.mail.send(bob, bus.mail.draft("alice", f"{number}")).id)
        both[0].wait(lambda: both[0].log.exists() and len(both[0].ids()) >= len(ids))
        assert sorted(both[0].ids()) == sorted(ids)
    finally:
        for monitor in both:
            monitor.end()


@pytest.fixture
def small_disk(tmp_path: Path) -> Path:
    """A file system of 64 KiB; it is unmounted by the test."""
    folder = tmp_path / "disk"
    folder.mkdir()
    if os.geteuid() != 0:
        pytest.skip("mounting a small disk needs root")
    command = ["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", str(folder)]
    if subprocess.run(command, capture_output=True, check=False).returncode:
        pytest.skip("mounting is not allowed here")
    return folder


def test_a_full_disk_costs_no_line(cli: Cli, small_disk: Path) -> None:
    monitor = None
    try:
        monitor = Monitor(cli, "--log", str(small_disk / "bob.log"))
        before = _send(cli, 1)
        monitor.wait_for(before)
        ballast = small_disk / "ballast"
        with contextlib.suppress(OSError), ballast.open("wb", buffering=0) as file:
            while True:
                file.write(b"x" * 1024)
        meanwhile = _send(cli, 100, "x" * 100)
        monitor.wait_for_complaint("No space left")
        ballast.unlink()
        monitor.wait_for_complaint("is written again")
        monitor.wait_for(before + meanwhile)
    finally:
        if monitor is not None:
            monitor.end()
        subprocess.run(["umount", str(small_disk)], check=True)
