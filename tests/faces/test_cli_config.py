"""config: what holds, where it comes from, and what is set on the bus."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.faces.cli_support import Cli


@pytest.fixture
def cli(tmp_path: Path) -> Cli:
    return Cli(tmp_path, "alice", "bob")


def test_each_value_with_its_source(cli: Cli) -> None:
    (cli.folder / ".hubbub.toml").write_text('[reminders]\nwatchdog = "bob"\n[gate]\nlimit = 50\n')
    assert cli.run("config", "set", "reminders.after", "5,10", agent="alice").out.startswith(
        "reminders.after is 5,10"
    )
    shown = cli.run("config", "--json", env={"HUBBUB_GATE_MODE": "enforce"}).json
    values = shown["values"]
    assert shown["file"] == str(cli.folder / ".hubbub.toml")
    assert shown["bus_named_by"] == "HUBBUB_BUS"
    assert values["gate.mode"] == {"value": "enforce", "source": "HUBBUB_GATE_MODE"}
    assert values["reminders.watchdog"] == {"value": "bob", "source": shown["file"]}
    assert values["reminders.after"] == {"value": "5,10", "source": "set on the bus"}
    assert values["gate.limit"]["value"] == "40"  # the file can't open the gate
    assert values["gate.limit"]["also"] == [{"value": "50", "source": shown["file"]}]
    text = cli.run("config").out
    assert "reminders.after           5,10             set on the bus" in text
    assert "gate.limit                40               default; 50 by /" in text


def test_what_is_set_on_the_bus_holds_for_everyone_and_is_in_the_ledger(cli: Cli) -> None:
    for words in (["gate.mode", "enforce"], ["gate.limits.alice", "2"]):
        assert cli.run("config", "set", *words, agent="bob").status == 0
    assert cli.run("config", "get", "gate.limits.alice").out == "2\n"
    for _ in range(2):
        cli.send("bob", "hello")
    refused = cli.run("send", "bob", "third", agent="alice", env={"HUBBUB_GATE_LIMIT": "1000"})
    assert refused.code == "RATE_LIMITED"
    changed = cli.run("config", "unset", "gate.mode", "--json", agent="bob").json
    assert changed == {"key": "gate.mode", "value": None, "before": "enforce"}
    cli.send("bob", "third")
    with cli.bus() as bus:
        events = bus.events.events(kinds=("setting_changed",))
    assert [(event.actor, event.detail and event.detail["key"]) for event in events] == [
        ("bob", "gate.mode"),
        ("bob", "gate.limits.alice"),
        ("bob", "gate.mode"),
    ]


@pytest.mark.parametrize(
    ("words", "status", "said"),
    [
        (["get", "gate.limt"], 2, "gate.limit"),
        (["set", "gate.mode", "on"], 2, "observe or enforce"),
        (["set", "gate.limits", "bob=3"], 2, "gate.limits.bob"),
        (["set", "monitor.log", "/x"], 2, "HUBBUB_MONITOR_LOG"),
        (["set", "agent", "bob"], 2, "HUBBUB_AGENT"),
        (["set", "gate.limits.Bob", "3"], 2, "a-z"),
        (["unset", "gate"], 2, "gate."),
        (["set", "gate.mode"], 2, "VALUE"),
        (["sett", "gate.mode", "enforce"], 2, "config set"),
    ],
)
def test_mistakes_lead_on(cli: Cli, words: list[str], status: int, said: str) -> None:
    refused = cli.run("config", *words)
    assert (refused.status, refused.out) == (status, "")
    assert said in refused.err
    with cli.bus() as bus:
        assert bus.settings.all() == {}


def test_a_broken_file_loses_no_message(cli: Cli) -> None:
    waiting = cli.send("bob", "waits")
    (cli.folder / ".hubbub.toml").write_text("[gate]\nlimit = 'many'\n")
    for words in (["send", "alice", "hello"], ["receive"], ["config"], ["monitor", "bob"], ["mcp"]):
        refused = cli.run(*words, agent="bob")
        assert (refused.status, refused.code) == (6, "INVALID_CONFIG"), words
        assert ".hubbub.toml, line 2: gate.limit must be a whole number" in refused.err
    assert cli.state(waiting, "bob") == ("queued", 0)
    with cli.bus() as bus:
        assert bus.info().messages == 1


def test_what_is_said_in_vain_is_told(cli: Cli) -> None:
    with cli.bus() as bus:
        bus.store.settings.put("gate.colour", "green")
    told = cli.run("config", env={"HUBBUB_GATE_LIMT": "3"})
    assert told.status == 0
    assert "HUBBUB_GATE_LIMT means nothing; did you mean HUBBUB_GATE_LIMIT?" in told.err
    assert "gate.colour, set on the bus, means nothing" in told.err


def test_reminders_that_never_come_are_told(cli: Cli) -> None:
    assert "never comes" not in cli.run("config").err
    assert cli.run("config", "set", "reminders.escalate_after", "120").status == 0
    shown = cli.run("config")
    assert "reminders.after 120, 240 never comes: after reminders.escalate_after, 120 s" in shown.err
    (told,) = cli.run("config", "--json").json["wrong"]
    assert told.startswith("reminders.after 120, 240 ")
    fewer = {"HUBBUB_REMINDERS_AFTER": "none"}
    assert "never comes" not in cli.run("config", env=fewer).err


def test_doctor_tells_of_it_too(cli: Cli) -> None:
    checks = cli.run("doctor", "--json", env={"HUBBUB_GATE_LIMT": "3"}).json["checks"]
    (found,) = [check for check in checks if check["check"] == "config"]
    assert (found["level"], found["found"]) == (
        "warning",
        "HUBBUB_GATE_LIMT means nothing; did you mean HUBBUB_GATE_LIMIT?",
    )
    broken = cli.run("doctor", "--json", env={"HUBBUB_GATE_LIMIT": "x"})
    assert broken.status == 6
    (found,) = [check for check in broken.json["checks"] if check["check"] == "config"]
    assert found["level"] == "problem"
    assert "HUBBUB_GATE_LIMIT" in found["found"]


def test_a_name_that_can_be_none_is_told_by_what_needs_it(cli: Cli) -> None:
    env = {"HUBBUB_AGENT": "Not A Name"}
    assert cli.run("receive", env=env).code == "INVALID_NAME"
    assert cli.run("config", env=env).status == 0


def test_it_shows_what_there_is_without_a_bus(tmp_path: Path) -> None:
    cli = Cli(tmp_path)
    assert "gate.mode" in cli.run("config").out
    assert cli.run("config", "set", "gate.mode", "enforce").code == "BUS_NOT_FOUND"
    assert not cli.path.exists()
