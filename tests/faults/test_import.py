"""kill -9 during an import: nobody sees half a topic, and the same command again makes it whole, once.
Damaged files, and folders that can't be written."""

from __future__ import annotations

import os
import random
from collections.abc import Iterator
from pathlib import Path

import apsw
import pytest

from hubbub.bus import Bus
from hubbub.errors import ImportInvalid, TopicExists
from hubbub.interchange import import_agent_bus, import_file
from hubbub.stores import open_store
from tests.agent_bus import AgentBusFile
from tests.faults.processes import AS_NOBODY, child, output_of
from tests.interchange_support import ADA, everything, exported, many, saved, told, topic_names

MESSAGES = 20_000

IMPORT = """
import sys
import hubbub
from hubbub.interchange import import_agent_bus, import_file

url, path, name = sys.argv[1:]
with hubbub.connect(url) as bus:
    actor = bus.agents.attach("ada")
    tell = lambda done, total: print(done, flush=True)
    if name:
        import_file(bus, actor, path, name=name, progress=tell)
    else:
        import_agent_bus(bus, actor, path, progress=tell)
    print("made", flush=True)
"""


@pytest.fixture
def bus(tmp_path: Path) -> Iterator[Bus]:
    """A bus with an agent."""
    with Bus(open_store(f"sqlite://{tmp_path}/bus.db")) as opened:
        opened.agents.register("ada")
        yield opened
        assert opened.check() == []


def _killed(url: str, path: str, name: str, at: int, rest: float) -> int:
    """Import, kill it a little after it said that ``at`` messages are in; how many it had said by then,
    or -1 when it was done before."""
    with child(IMPORT, url, path, name) as running:
        said = 0
        while said < at:
            line = running.line()
            if line == "made":
                return -1
            assert line, "the import ended without a word"
            said = int(line)
        # A moment into what follows, wherever that is: while it writes, reads or begins the next batch.
        for _ in range(int(rest * 20_000)):
            pass
        running.process.kill()
        running.wait()
        return said


def test_an_import_survives_kills_at_random_moments(bus: Bus, tmp_path: Path) -> None:
    many(bus, "long", MESSAGES)
    path = saved(tmp_path / "long.jsonl", exported(bus, "long"))
    url = f"sqlite://{tmp_path}/bus.db"
    dice = random.Random(20_261_121)
    furthest = 0
    for at in sorted(dice.randrange(0, MESSAGES) for _ in range(12)):
        said = _killed(url, path, "again", at, dice.random())
        assert said >= furthest, "what was in is in no more"
        furthest = said
        assert topic_names(bus) == {"all", "long"}
    (made,) = import_file(bus, ADA, path, name="again").topics
    assert furthest <= made.resumed <= MESSAGES
    assert made.topic.last_seq == MESSAGES
    assert told(bus, "again") == told(bus, "long")
    with pytest.raises(TopicExists):
        import_file(bus, ADA, path, name="again")
    assert topic_names(bus) == {"all", "long", "again"}


def test_an_import_of_several_topics_survives_kills(bus: Bus, tmp_path: Path) -> None:
    source = AgentBusFile(tmp_path / "agent_bus.sqlite")
    source.db.execute("BEGIN")
    for topic in ("a1", "a2", "a3", "a4"):
        source.topic(topic, "plan")
        for seq in range(1, 2001):
            source.message(topic, seq, f"{topic} message {seq}")
    source.db.execute("COMMIT")
    path = str(source.done())
    url = f"sqlite://{tmp_path}/bus.db"
    dice = random.Random(5)
    for at in sorted(dice.randrange(1, 8000) for _ in range(8)):
        _killed(url, path, "", at, dice.random())
    import_agent_bus(bus, ADA, path)
    names = topic_names(bus) - {"all"}
    assert len(names) == 4
    bodies = {name: [message.body for message in everything(bus, name)] for name in names}
    assert sorted(each[0] for each in bodies.values()) == [f"a{n} message 1" for n in range(1, 5)]
    for each in bodies.values():
        assert each == [f"{each[0][:2]} message {seq}" for seq in range(1, 2001)]


def test_damage_is_told_and_imports_nothing(bus: Bus, tmp_path: Path) -> None:
    source = AgentBusFile(tmp_path / "agent_bus.sqlite")
    source.topic("a1", "plan")
    for seq in range(1, 400):
        source.message("a1", seq, f"message {seq} " + "x" * 300)
    whole = source.done().read_bytes()
    path = tmp_path / "damaged.sqlite"
    size = next(apsw.Connection(str(source.path)).execute("PRAGMA page_size"))[0]
    refused = 0
    for page in range(len(whole) // size):
        damaged = bytearray(whole)
        damaged[page * size + 100 * (page == 0) : page * size + 120] = b"\xa5" * (120 - 100 * (page == 0))
        path.write_bytes(damaged)
        try:
            import_agent_bus(bus, ADA, str(path))
        except ImportInvalid:
            refused += 1
            assert topic_names(bus) == {"all"}
        else:  # a page of the word index, which is not read
            assert [m.body for m in everything(bus, "plan")] == [
                f"message {seq} " + "x" * 300 for seq in range(1, 400)
            ]
            bus.topics.delete(ADA, "plan")
    assert refused > 30
    for cut in (50, 99, 5000, len(whole) - size):
        path.write_bytes(whole[:cut])
        with pytest.raises(ImportInvalid):
            import_agent_bus(bus, ADA, str(path))


def test_a_folder_that_can_t_be_written_is_read(tmp_path: Path) -> None:
    folder = tmp_path / "theirs"
    folder.mkdir()
    made = AgentBusFile(folder / "agent_bus.sqlite")
    made.topic("a1", "plan")
    made.message("a1", 1)
    made.done()
    own = tmp_path / "own"
    own.mkdir()
    for place, rights in ((folder / "agent_bus.sqlite", 0o444), (folder, 0o555), (own, 0o777)):
        place.chmod(rights)
    for parent in tmp_path.parents:
        if parent.stat().st_uid == os.geteuid() and parent != Path("/"):
            parent.chmod(parent.stat().st_mode | 0o011)
    tmp_path.chmod(0o755)
    # What the user can't read is loaded before it becomes one.
    script = (
        "import urllib.parse\n"
        "from hubbub.interchange import import_agent_bus\n"
        f"{AS_NOBODY}"
        "with hubbub.connect(sys.argv[1]) as bus:\n"
        "    bus.agents.register('ada')\n"
        "    (made,) = import_agent_bus(bus, bus.agents.attach('ada'), sys.argv[2]).topics\n"
        "    print(made.topic.name, made.topic.last_seq)\n"
    )
    told = output_of(script, f"sqlite://{own}/bus.db", str(folder / "agent_bus.sqlite"))
    assert told == "plan 1"
    assert os.listdir(folder) == ["agent_bus.sqlite"]
