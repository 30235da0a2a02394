"""What is configured: what counts, and what is refused."""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest

from hubbub.bus.settings import holding
from hubbub.clock import ManualClock
from hubbub.config import Config
from hubbub.config_keys import BY_NAME, KEYS, OTHER_VARIABLES, Key, as_text, checked, from_text
from hubbub.errors import InvalidArgument, InvalidConfig, RateLimited
from hubbub.model import Actor, Draft, Profile
from hubbub.policy import GATE_WINDOW_MS, Policy
from hubbub.stores import open_store

DOCS = Path(__file__).parent.parent.parent / "docs" / "reference" / "configuration.md"


@pytest.fixture(autouse=True)
def _no_surroundings(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in list(os.environ):
        if name.startswith("HUBBUB_"):
            monkeypatch.delenv(name)


def _config(folder: Path, text: str | None = None) -> Config:
    if text is not None:
        (folder / ".hubbub.toml").write_text(text)
    return Config(str(folder))


def test_a_file_says_all_that_it_can(tmp_path: Path) -> None:
    config = _config(
        tmp_path,
        """
        bus = "bus.db"
        [gate]
        mode = "enforce"
        limit = 12
        [gate.limits]
        noisy = 3
        [reminders]
        after = [5, 7.5]
        escalate_after = 9
        watchdog = "eve"
        [monitor]
        log = "notify/{agent}.log"
        log_bytes = 20_000
        [hooks]
        writes = "warn"
        """,
    )
    assert set(config.in_file) == {key.name for key in KEYS if key.in_file}
    assert config.policy() == Policy(True, 12, (("noisy", 3),), (5000, 7500), 9000, "eve")
    assert config.get("monitor.log_bytes") == 20_000


def test_without_anything_the_defaults_hold(tmp_path: Path) -> None:
    config = _config(tmp_path)
    assert config.policy() == Policy()
    assert config.get("hooks.writes") == "deny"
    assert config.get("monitor.log") == ""
    for key in KEYS:
        assert holding(key, config, {}) == (key.name, key.default, "default", ())


@pytest.mark.parametrize("key", [key for key in KEYS if key.default], ids=lambda key: str(key.name))
def test_every_default_is_a_value_that_its_key_takes(key: Key) -> None:
    value = from_text(key, key.default, key.name)
    assert as_text(checked(key, value, key.name)) == key.default


def test_the_environment_goes_before_the_file_and_the_file_before_the_bus(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    key = BY_NAME["reminders.watchdog"]
    on_bus = {"reminders.watchdog": "third"}
    assert holding(key, _config(tmp_path), on_bus)[1:3] == ("third", "set on the bus")
    config = _config(tmp_path, '[reminders]\nwatchdog = "second"\n')
    assert holding(key, config, on_bus)[1:3] == ("second", str(tmp_path / ".hubbub.toml"))
    monkeypatch.setenv("HUBBUB_REMINDERS_WATCHDOG", "first")
    found = holding(key, _config(tmp_path), on_bus)
    assert found[1:3] == ("first", "HUBBUB_REMINDERS_WATCHDOG")
    assert [value for value, _ in found.also] == ["second", "third"]
    assert _config(tmp_path).policy().watchdog == "first"


def test_of_the_gate_the_strictest_holds_wherever_it_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HUBBUB_GATE_MODE", "observe")
    monkeypatch.setenv("HUBBUB_GATE_LIMIT", "900")
    monkeypatch.setenv("HUBBUB_GATE_LIMITS", "bob=2, eve=700")
    config = _config(tmp_path, '[gate]\nmode = "enforce"\nlimit = 30\n[gate.limits]\nbob = 8\n')
    policy = config.policy()
    assert (policy.gate_enforce, policy.gate_limit) == (True, 30)
    assert [policy.limit_of(name) for name in ("bob", "eve", "ada")] == [2, 30, 30]
    assert holding(BY_NAME["gate.mode"], config, {})[1] == "enforce"
    assert holding(BY_NAME["gate.limit"], config, {"gate.limit": "20"})[1:3] == ("20", "set on the bus")
    assert holding(BY_NAME["gate.limit"], config, {"gate.limit": "50"})[1] == "30"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[gate]\nlimt = 3", ["line 2", "gate.limt", "gate.limit"]),
        ("[gate]\n\nlimit = 0", ["line 3", "gate.limit", "1 to"]),
        ("[gate]\nlimit = true", ["line 2", "gate.limit"]),
        ('[gate]\nlimit = "5"', ["line 2", "gate.limit"]),
        ('gate.mode = "enforced"', ["line 1", "observe or enforce", "enforced"]),
        ("[gate.limits]\nBob = 3", ["line 1", "gate.limits"]),
        ("[gate.limits]\nbob = 1.5", ["line 1", "gate.limits"]),
        ("gate = 3", ["line 1", "gate"]),
        ("[reminders]\nafter = [60, 30]", ["line 2", "reminders.after", "more than the one before"]),
        ("[reminders]\nafter = [nan]", ["line 2", "reminders.after"]),
        ("[reminders]\nafter = 30", ["line 2", "reminders.after"]),
        ("[reminders]\nescalate_after = inf", ["line 2", "reminders.escalate_after"]),
        ("[reminders]\nwatchdog = 'Not A Name'", ["line 2", "reminders.watchdog"]),
        ("[hooks]\nwrites = 'allow'", ["line 2", "deny or warn or off", "allow"]),
        ("agent = 'bob'", ["line 1", "agent", "HUBBUB_AGENT"]),
        ("[monitor]\nlog = ''", ["line 2", "monitor.log"]),
        ("[monitors]\nlog = 'x'", ["line 2", "monitors.log", "monitor.log"]),
        ("[x.y]\nz = 1", ["x.y"]),
        ("bus = 'a'\nbus = 'b'", ["overwrite"]),
        ("bus =", ["Invalid value"]),
        ("[[gate]]\nmode = 'observe'", ["gate"]),
    ],
)
def test_what_a_file_can_not_say(tmp_path: Path, text: str, said: list[str]) -> None:
    with pytest.raises(InvalidConfig) as caught:
        _config(tmp_path, text)
    told = f"{caught.value.message} {caught.value.hint}"
    assert str(tmp_path / ".hubbub.toml") in told
    for word in said:
        assert word in told, told


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="there are no named pipes here")
def test_a_pipe_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / ".hubbub.toml")
    with pytest.raises(InvalidConfig, match="not a regular file"):
        Config(str(tmp_path))


def test_a_file_that_is_no_text(tmp_path: Path) -> None:
    (tmp_path / ".hubbub.toml").write_bytes(b"\xff\xfe\0")
    with pytest.raises(InvalidConfig, match=r"\.hubbub\.toml can't be read"):
        Config(str(tmp_path))
    (tmp_path / ".hubbub.toml").write_text("#" * (1 << 20) + "\n")
    with pytest.raises(InvalidConfig, match="more than"):
        Config(str(tmp_path))
    (tmp_path / ".hubbub.toml").unlink()
    (tmp_path / ".hubbub.toml").mkdir()
    with pytest.raises(InvalidConfig, match="can't be read"):
        Config(str(tmp_path))


@pytest.mark.parametrize(
    ("variable", "text"),
    [
        ("HUBBUB_GATE_LIMIT", "many"),
        ("HUBBUB_GATE_LIMIT", "-1"),
        ("HUBBUB_GATE_LIMIT", "٣"),
        ("HUBBUB_GATE_MODE", "on"),
        ("HUBBUB_GATE_LIMITS", "bob"),
        ("HUBBUB_GATE_LIMITS", "bob=1,bob=2"),
        ("HUBBUB_GATE_LIMITS", "bob=0"),
        ("HUBBUB_REMINDERS_AFTER", "30,,60"),
        ("HUBBUB_REMINDERS_AFTER", "1e999"),
        ("HUBBUB_REMINDERS_AFTER", ",".join(str(number) for number in range(1, 30))),
        ("HUBBUB_REMINDERS_ESCALATE_AFTER", "0"),
        ("HUBBUB_MONITOR_LOG_BYTES", "10"),
    ],
)
def test_what_a_variable_can_not_say(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, variable: str, text: str
) -> None:
    monkeypatch.setenv(variable, text)
    with pytest.raises(InvalidConfig) as caught:
        _config(tmp_path)
    assert variable in caught.value.message
    assert variable in caught.value.hint


def test_an_empty_variable_says_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for key in KEYS:
        monkeypatch.setenv(key.env, "")
    assert _config(tmp_path).policy() == Policy()


@pytest.mark.skipif(os.geteuid() != 0, reason="giving a file to another user needs root")
def test_another_users_file_is_refused_or_left_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / ".hubbub.toml").write_text("[gate]\nlimit = 1\n")
    os.chown(tmp_path / ".hubbub.toml", 4321, 4321)
    monkeypatch.setattr(os, "geteuid", lambda: 1234)
    with pytest.raises(InvalidConfig, match="another user") as caught:
        Config(str(tmp_path))
    assert "--bus" in caught.value.hint
    config = Config(str(tmp_path), bus_named=True)
    assert (config.in_file, config.policy()) == ({}, Policy())
    assert "another user" in config.unused


# --- on the bus ------------------------------------------------------------------------------------


def _accepted(policy: Policy, folder: Path, on_bus: dict[str, str], tries: int = 60) -> int:
    """How many of ``tries`` messages from bob to eve an enforced gate lets through at one moment."""
    store = open_store(f"sqlite://{folder}/bus.db", clock=ManualClock(), policy=policy)
    try:
        for name in ("bob", "eve"):
            store.agents.register(Profile(name))
        for key, value in on_bus.items():
            store.settings.put(key, value)
        for number in range(tries):
            try:
                store.mail.send(Actor("bob"), Draft(("eve",), "x"))
            except RateLimited:
                return number
        return tries
    finally:
        store.close()


@pytest.mark.parametrize(
    ("policy", "on_bus", "accepted"),
    [
        (Policy(gate_enforce=True), {}, 40),
        (Policy(gate_enforce=True, gate_limit=50), {}, 40),
        (Policy(gate_enforce=True, gate_limit=40), {"gate.limit": "50"}, 40),
        (Policy(gate_enforce=True), {"gate.limit": "50"}, 50),
        (Policy(gate_limit=900), {"gate.mode": "enforce", "gate.limit": "3"}, 3),
        (Policy(gate_limits=(("bob", 900),)), {"gate.mode": "enforce", "gate.limits.bob": "4"}, 4),
        (Policy(gate_limits=(("bob", 2),)), {"gate.mode": "enforce", "gate.limits.bob": "4"}, 2),
        (Policy(), {"gate.mode": "enforce", "gate.limit": "3", "gate.limits.bob": "5"}, 5),
        (Policy(), {"gate.mode": "enforce", "gate.limit": "nonsense"}, 40),
        (Policy(), {"gate.mode": "nonsense", "gate.limit": "3"}, 60),
    ],
)
def test_an_agents_own_surroundings_never_open_the_gate(
    tmp_path: Path, policy: Policy, on_bus: dict[str, str], accepted: int
) -> None:
    assert _accepted(policy, tmp_path, on_bus) == accepted


def _reminded(folder: Path, policy: Policy, on_bus: dict[str, str]) -> list[tuple[int, str]]:
    """When after the due time, in seconds, what was sent to whom about an answer that never comes."""
    clock = ManualClock()
    store = open_store(f"sqlite://{folder}/bus.db", clock=clock, policy=policy)
    try:
        for name in ("bob", "eve", "watchdog", "guard"):
            store.agents.register(Profile(name))
        for key, value in on_bus.items():
            store.settings.put(key, value)
        store.mail.send(Actor("bob"), Draft(("eve",), "well?", kind="question", reply_within_ms=1000))
        clock.advance(1000)
        due, seen = clock.now(), []
        while clock.now() < due + 700_000:
            clock.advance(1000)
            store.sweep("one")
        for event in store.ledger.events(kinds=("message_sent",), limit=1000):
            if event.actor == "hubbub":
                seen.append(((event.at - due) // 1000, str(event.agent)))
        return seen
    finally:
        store.close()


def test_reminders_go_by_the_process_then_by_the_bus_then_as_usual(tmp_path: Path) -> None:
    usual = [(30, "eve"), (60, "eve"), (120, "eve"), (240, "eve"), (480, "bob"), (480, "watchdog")]
    folders = [tmp_path / str(number) for number in range(4)]
    for folder in folders:
        folder.mkdir()
    assert _reminded(folders[0], Policy(), {}) == usual
    on_bus = {"reminders.after": "40,80", "reminders.escalate_after": "200", "reminders.watchdog": "guard"}
    assert _reminded(folders[1], Policy(), on_bus) == [(40, "eve"), (80, "eve"), (200, "bob"), (200, "guard")]
    told = Policy(remind_after_ms=(), escalate_after_ms=90_000, watchdog="watchdog")
    assert _reminded(folders[2], told, on_bus) == [(90, "bob"), (90, "watchdog")]
    broken = {"reminders.after": "soon", "reminders.escalate_after": "1e999", "reminders.watchdog": "nobody"}
    assert _reminded(folders[3], Policy(), broken) == usual[:-1]


def test_only_what_makes_sense_there_is_set_on_a_bus(tmp_path: Path) -> None:
    from hubbub.bus import Bus

    with Bus(open_store(f"sqlite://{tmp_path}/bus.db")) as bus:
        assert bus.settings.set("gate.mode", "enforce") is None
        assert bus.settings.set("gate.limits.bob", " 007 ") is None
        assert bus.settings.set("reminders.after", "none") is None
        assert bus.settings.all() == {
            "gate.mode": "enforce",
            "gate.limits.bob": "7",
            "reminders.after": "none",
        }
        for name, value in [
            ("gate.limits", "bob=3"),
            ("gate.limits.Bob", "3"),
            ("gate.limits.bob", "0"),
            ("gate.mod", "enforce"),
            ("gate.mode", ""),
            ("monitor.log", "/x"),
            ("agent", "bob"),
            ("bus", "x.db"),
        ]:
            with pytest.raises(InvalidArgument) as caught:
                bus.settings.set(name, value)
            assert name in caught.value.message or "name" in caught.value.hint
        assert bus.settings.unset("gate.limits.bob") == "7"
        assert bus.settings.unset("gate.limits.bob") is None
        changed = bus.events.events(kinds=("setting_changed",))
        assert [event.detail["key"] for event in changed if event.detail] == [
            "gate.mode",
            "gate.limits.bob",
            "reminders.after",
            "gate.limits.bob",
        ]


# --- the page --------------------------------------------------------------------------------------


def test_the_page_has_every_key_as_the_code_has_it() -> None:
    rows = {}
    for line in DOCS.read_text().splitlines():
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        if line.startswith("| `") and len(cells) == 5:
            rows[cells[0].strip("`")] = cells[1:]
    assert list(rows) == [key.name for key in KEYS]
    for key in KEYS:
        where = ", ".join(["file"] * key.in_file + ["bus"] * key.on_bus) or "-"
        default = f"`{key.default}`" if key.default else "-"
        assert rows[key.name] == [f"`{key.env}`", where, default, f"{key.meaning}. {key.allowed}"], key.name


def test_the_page_has_every_variable_that_the_code_reads() -> None:
    page = DOCS.read_text()
    read = set()
    for path in (DOCS.parent.parent.parent / "src").rglob("*.py"):
        read |= set(re.findall(r"environ(?:\.get\(|\[)\s*\"(HUBBUB_[A-Z_]+)\"", path.read_text()))
    assert read <= {key.env for key in KEYS} | set(OTHER_VARIABLES)
    for name in read | set(OTHER_VARIABLES):
        assert f"`{name}`" in page


def test_the_gates_window_is_as_the_table_says() -> None:
    assert f"within {GATE_WINDOW_MS // 1000} s" in BY_NAME["gate.limit"].meaning
