"""The reference pages of topics and search say what the code does: their tables are played on a real bus."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

import hubbub
from hubbub import model, model_search, model_topics, names
from hubbub.bus import topics as bus_topics
from hubbub.bus.search import Search
from hubbub.clock import ManualClock
from hubbub.errors import HubbubError, TopicNotFound
from hubbub.faces.cli import arguments
from hubbub.faces.mcp import mail_tools
from hubbub.model import Actor
from hubbub.model_topics import HANDOUT_MS, Post
from hubbub.stores import open_store
from tests.contract.world import World

REFERENCE = Path(__file__).parent.parent.parent / "docs" / "reference"
TOPICS = (REFERENCE / "topics.md").read_text()
SEARCH = (REFERENCE / "search.md").read_text()


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    """An empty bus with a clock of its own."""
    url, clock = f"sqlite://{tmp_path}/bus.db", ManualClock()
    store = open_store(url, clock=clock)
    try:
        yield World(url, store, clock)
        assert store.check() == []
    finally:
        store.close()


def _table(page: str, header: str) -> dict[str, list[str]]:
    """The rows of the table that begins with this line, by their first cell."""
    lines = page[page.index(header) :].splitlines()[2:]
    rows: dict[str, list[str]] = {}
    for line in lines:
        if not line.startswith("|"):
            break
        cells = [cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]]
        rows[cells[0]] = cells[1:]
    return rows


# --- states of a topic ---------------------------------------------------------------------------

STATES = ("open", "closed", "deleted")
STATE_TABLE = _table(TOPICS, "| event | open | closed | deleted |")
EVENTS: dict[str, Callable[[World, Actor, str], object]] = {
    "post": lambda world, ada, topic: world.store.topics.sync(ada, topic, outbox=(Post("hello"),)),
    "sync without a post": lambda world, ada, topic: world.store.topics.sync(ada, topic),
    "read": lambda world, ada, topic: world.store.topics.history(topic),
    "join": lambda world, ada, topic: world.store.topics.join(world.agent("bob"), topic),
    "leave": lambda world, ada, topic: world.store.topics.leave(ada, topic),
    "close": lambda world, ada, topic: world.store.topics.close(ada, topic),
    "reopen": lambda world, ada, topic: world.store.topics.reopen(ada, topic),
    "rename": lambda world, ada, topic: world.store.topics.rename(ada, topic, "another name"),
    "delete": lambda world, ada, topic: world.store.topics.delete(ada, topic),
}


def _topic_in(world: World, ada: Actor, state: str) -> str:
    topic = world.store.topics.create(ada, "parser").topic.id
    if state == "closed":
        world.store.topics.close(ada, topic)
    if state == "deleted":
        world.store.topics.delete(ada, topic)
    return topic


def _state_of(world: World, topic: str) -> str:
    try:
        return world.store.topics.get(topic).state
    except TopicNotFound:
        return "deleted"


def test_the_table_of_topic_states_has_every_event() -> None:
    assert list(STATE_TABLE) == list(EVENTS)


@pytest.mark.parametrize("state", STATES)
@pytest.mark.parametrize("event", EVENTS)
def test_an_event_does_to_a_topic_what_the_page_says(world: World, event: str, state: str) -> None:
    ada = world.agent("ada")
    topic = _topic_in(world, ada, state)
    said = STATE_TABLE[event][STATES.index(state)]
    if said in STATES:
        EVENTS[event](world, ada, topic)
        assert _state_of(world, topic) == said
    else:
        with pytest.raises(HubbubError) as caught:
            EVENTS[event](world, ada, topic)
        assert caught.value.code == said
        assert _state_of(world, topic) == state


def test_the_diagram_of_topic_states_shows_every_move_and_no_other() -> None:
    drawn = set(re.findall(r"^    (\w+) --> (\w+): (\w+)$", TOPICS, re.M))
    moves = {
        (state, row[column], event)
        for event, row in STATE_TABLE.items()
        for column, state in enumerate(STATES)
        if row[column] in STATES and row[column] != state
    }
    assert drawn == moves


# --- a message, as one member has it -------------------------------------------------------------

PLACES = ("unread", "in hand", "back", "done")
MEMBER_TABLE = _table(TOPICS, "| event | unread | in hand | back | done |")


class Reader:
    """A member with one message of somebody else before it, in one of the places."""

    def __init__(self, world: World, place: str) -> None:
        self.world = world
        self.store = world.store.topics
        ada = world.agent("ada")
        self.topic = self.store.create(ada, "parser").topic.id
        self.store.sync(ada, self.topic, outbox=(Post("hello"),))
        self.bob = world.seat("bob")
        self.store.join(self.bob, self.topic)
        self.hand = model_topics.Hand(self.topic, 1, 1)
        if place != "unread":
            given = self.store.sync(self.bob, self.topic)
            assert given.hand == self.hand
        if place == "back":
            self.lease_runs_out()
        if place == "done":
            assert self.store.confirm(self.bob, (self.hand,)) == 1

    def lease_runs_out(self) -> None:
        """Time passes, and is noticed; the session lives on."""
        self.world.clock.advance(HANDOUT_MS)
        self.world.agents.beat(self.bob.session or "")
        self.world.store.sweep("house")

    def session_ends(self) -> None:
        """Another session of the same agent follows."""
        self.world.agents.end_session(self.bob.session or "", "left")
        self.bob = self.world.seat("bob")

    def place(self) -> str:
        """Where the message is: found out by a sync, so only once."""
        given = self.store.sync(self.bob, self.topic)
        if given.messages:
            return "back" if given.redelivered else "unread"
        return "done" if given.cursor == 1 else "in hand"


MEMBER_EVENTS: dict[str, Callable[[Reader], object]] = {
    "sync": lambda reader: reader.store.sync(reader.bob, reader.topic),
    "confirmed": lambda reader: reader.store.confirm(reader.bob, (reader.hand,)),
    "session ends": lambda reader: reader.session_ends(),
    "lease runs out": lambda reader: reader.lease_runs_out(),
    "taken back": lambda reader: reader.store.give_back(reader.bob, (reader.hand,), unseen=True),
    "reset to the start": lambda reader: reader.store.reset(reader.bob, reader.topic, 0),
}


def test_the_table_of_a_members_messages_has_every_event() -> None:
    assert list(MEMBER_TABLE) == list(MEMBER_EVENTS)


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("event", MEMBER_EVENTS)
def test_an_event_does_to_a_members_message_what_the_page_says(world: World, event: str, place: str) -> None:
    reader = Reader(world, place)
    MEMBER_EVENTS[event](reader)
    assert reader.place() == MEMBER_TABLE[event][PLACES.index(place)]


# --- the ledger ----------------------------------------------------------------------------------


def test_the_events_of_topics_are_those_that_the_page_lists(world: World) -> None:
    """All that can be done to a topic is done, and the ledger read."""
    reader = Reader(world, "unread")
    reader.store.sync(reader.bob, reader.topic)
    reader.session_ends()
    reader.store.sync(reader.bob, reader.topic, ack_through=1, automatic=False)
    reader.store.reset(reader.bob, reader.topic, 0)
    reader.store.leave(reader.bob, reader.topic)
    for event in ("close", "reopen", "rename", "delete"):
        EVENTS[event](world, reader.bob, reader.topic)
    message = model_topics.Imported("eve", "message", "hello", None, None, created_at=1)
    reader.store.begin_import(reader.bob, "a file", "old", created_at=1)
    reader.store.add_imported(reader.bob, "a file", 0, (message,))
    reader.store.finish_import(reader.bob, "a file")
    recorded = {event.event for event in world.events() if "topic" in event.event or "cursor" in event.event}
    assert recorded == {name[1:-1] for name in _table(TOPICS, "| event | what happened |")}


# --- limits --------------------------------------------------------------------------------------


def _default(function: Callable[..., object], parameter: str) -> object:
    return inspect.signature(function).parameters[parameter].default


def test_the_limits_of_topics_are_those_of_the_code() -> None:
    said = {what: float(cells[0]) for what, cells in _table(TOPICS, "| what | limit |").items()}
    assert said == {
        "characters of a topic's name": names.TOPIC_NAME_MAX,
        "bytes of a topic's metadata": bus_topics.METADATA_BYTES,
        "bytes of a message, body and metadata together": model.MAX_MESSAGE_BYTES,
        "messages in one outbox": model_topics.OUTBOX_MAX,
        "messages in one answer, at most": model_topics.SYNC_MAX,
        "messages in one answer, unless told otherwise": _default(bus_topics.Topics.syncing, "limit"),
        "seconds that a hand-out waits to be confirmed": HANDOUT_MS / 1000,
        "the same, on the command line": arguments.COMMAND_LINE_LEASE_SECONDS,
        "characters of the reason for a close": bus_topics.REASON_MAX,
        "seconds that a sync over MCP waits, at most": mail_tools.WAIT_MAX,
        "topics on a page of the list, at most (over MCP 100)": bus_topics.PAGE_MAX,
    }


def test_the_limits_of_search_are_those_of_the_code() -> None:
    said = {what: float(cells[0]) for what, cells in _table(SEARCH, "| what | limit |").items()}
    assert said == {
        "hits in one answer, at most": model_search.SEARCH_MAX,
        "hits in one answer, unless told otherwise (over MCP 10)": _default(Search.search, "limit"),
        "matches that are ranked: of more, the newest, and the answer says so": model_search.RANKED_MAX,
    }


# --- search --------------------------------------------------------------------------------------


def test_the_examples_of_queries_find_what_the_page_says(tmp_path: Path) -> None:
    """In a topic and in the mail alike."""
    texts = {number: cells[0].strip("`") for number, cells in _table(SEARCH, "| | text |").items()}
    queries = {query[1:-1]: cells[0] for query, cells in _table(SEARCH, "| query | finds |").items()}
    assert len(texts) == 7
    assert len(queries) == 25
    with hubbub.connect(f"sqlite://{tmp_path}/bus.db") as bus:
        for name in ("ada", "bob"):
            bus.agents.register(name)
        ada = bus.agents.attach("ada")
        topic = bus.topics.create(ada, "notes").topic.id
        numbers: dict[str, str] = {}
        for number, text in texts.items():
            (posted,) = bus.topics.sync(ada, topic, (bus.topics.post(text),)).posted
            numbers[posted.id] = number
            numbers[bus.mail.send(ada, bus.mail.draft("bob", text)).id] = number
        for query, said in queries.items():
            for scope in ("topics", "mail"):
                found = bus.search.search(query, reader="bob", scope=scope, mode="words").hits
                assert ", ".join(sorted(numbers[result.hit.id] for result in found)) == said, (query, scope)
        empty = [query for query, said in queries.items() if query in ("-parser", "???") and said == ""]
        for query in empty:
            assert bus.search.search(query, reader="bob", mode="words").notes, query
        assert len(empty) == 2
