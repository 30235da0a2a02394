"""Import of an Agent Bus MCP database: its topics become topics of this bus."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing
from typing import NamedTuple

from hubbub.bus import Bus
from hubbub.errors import ImportInvalid, TopicNotFound
from hubbub.interchange.agent_bus_file import (
    REASON_MAX,
    Database,
    SourceTopic,
    fingerprint,
    name_of,
)
from hubbub.interchange.importing import Tell, fill, finish, finished_imports
from hubbub.interchange.reading import BATCH, BATCH_BYTES, REPORTED
from hubbub.interchange.records import ImportedTopic, ImportReport, Progress
from hubbub.model import Actor
from hubbub.model_topics import Imported, Topic
from hubbub.names import TOPIC_NAME_MAX, nearest, quoted, topic_key
from hubbub.text import safe_line

NAMES_SHOWN = 20
"""How many of a file's topics an error lists."""


class _Plan(NamedTuple):
    """What reading a topic once found."""

    topic: SourceTopic
    source: str
    total: int
    """How many messages can be taken."""
    faults: tuple[tuple[str, str], ...]
    """The ids of others, and why; the first of many."""
    fault_count: int
    unlinked: tuple[str, ...]
    unlinked_count: int


def import_agent_bus(
    bus: Bus,
    actor: Actor,
    path: str,
    *,
    topics: Sequence[str] | None = None,
    skip: bool = False,
    progress: Progress | None = None,
) -> ImportReport:
    """Make topics of those of an Agent Bus MCP database, which is only read, also while it is in use.

    A topic that was imported before is left as it is, and the notes say so: run again after it was broken
    off, the import goes on where it stopped.

    Args:
        bus: The bus.
        actor: Who imports.
        path: The file, usually ``~/.agent_bus/agent_bus.sqlite``.
        topics: The names or ids of the wanted topics; None is all.
        skip: Leave out what this bus can't take, and say so, where else nothing is imported.
        progress: Told of ``(done, total)`` messages of all wanted topics.

    Raises:
        ImportInvalid: it is not such a database, is of another version, damaged, or holds what this bus
            can't take; nothing was imported.
        TopicNotFound: it has no such topic.
    """
    with closing(Database(path)) as database:
        wanted = _chosen(database.topics(), topics)
        total = sum(topic.total for topic in wanted)
        plans = []
        for topic in wanted:
            plans.append(_plan(database, topic))
            if progress is not None:
                progress(0, total)
        if not skip:
            _refuse_faults(plans)
        return _Run(bus, actor, database, plans, progress).report()


class _Run:
    """One import of checked topics."""

    def __init__(
        self, bus: Bus, actor: Actor, database: Database, plans: list[_Plan], progress: Progress | None
    ) -> None:
        self._bus = bus
        self._actor = actor
        self._database = database
        self._plans = plans
        self._tell = Tell(progress, sum(plan.total for plan in plans))
        self._notes: list[str] = []
        self._before = self._imported_before()
        self._agents = {agent.name for agent in bus.store.agents.all()}

    def report(self) -> ImportReport:
        """Import all."""
        new = [plan for plan in self._plans if plan.topic.id not in self._before]
        names = _names(self._bus, [plan.topic for plan in new])
        done = []
        for plan in self._plans:
            known = self._before.get(plan.topic.id)
            if known is None:
                done.append(self._import(plan, names[plan.topic.id]))
            else:
                self._note_known(plan, *known)
            self._tell.before += plan.total
        self._tell(0)
        return ImportReport("agent-bus", tuple(done), tuple(self._notes))

    def _imported_before(self) -> dict[str, tuple[str, Topic]]:
        """The topics that earlier imports made, by the id they had."""
        found = {}
        for source, topic in finished_imports(self._bus, "agent-bus:"):
            found[source.split(":")[1]] = (source, topic)
        return found

    def _note_known(self, plan: _Plan, source: str, topic: Topic) -> None:
        shown = f"{safe_line(plan.topic.name, 80)} ({plan.topic.id}) was imported before, as {topic.name}"
        if source == plan.source:
            self._notes.append(f"{shown}: left as it is.")
        else:
            self._notes.append(
                f"{shown}, and has changed since. To import it anew, delete {topic.name} first."
            )

    def _import(self, plan: _Plan, name: str) -> ImportedTopic:
        topic = plan.topic
        metadata = topic.metadata
        if name != topic.name:
            metadata = {**(metadata or {}), "agent_bus_name": topic.name[:TOPIC_NAME_MAX]}
        begun = self._bus.store.topics.begin_import(
            self._actor, plan.source, name, metadata=metadata, created_at=topic.created_at
        )
        fill(self._bus, self._actor, plan.source, begun.done, self._batches(topic.id), self._tell)
        made = finish(
            self._bus,
            self._actor,
            plan.source,
            closed_at=topic.closed_at,
            close_reason=topic.close_reason[:REASON_MAX],
        )
        self._note(plan, made)
        self._restore_places(plan, made)
        return ImportedTopic(
            topic=made,
            source=topic.name,
            messages=plan.total,
            resumed=begun.done,
            unlinked=plan.unlinked,
            unlinked_count=plan.unlinked_count,
            skipped=tuple(id_ for id_, _ in plan.faults),
            skipped_count=plan.fault_count,
        )

    def _batches(self, topic: str) -> Iterator[tuple[Imported, ...]]:
        batch: list[Imported] = []
        size = 0
        for message in self._database.messages(topic):
            if message.imported is None:
                continue
            batch.append(message.imported)
            size += len(message.imported.body)
            if len(batch) >= BATCH or size >= BATCH_BYTES:
                yield tuple(batch)
                batch, size = [], 0
        yield tuple(batch)

    def _note(self, plan: _Plan, made: Topic) -> None:
        if plan.topic.fault:
            self._notes.append(f"{made.name}: {plan.topic.fault} It was left out.")
        if len(plan.topic.close_reason) > REASON_MAX:
            self._notes.append(f"{made.name}: the reason for closing was cut to {REASON_MAX} letters.")

    def _restore_places(self, plan: _Plan, made: Topic) -> None:
        """Take up the importer's own place. Nobody else's: names there belong to a topic, and who had one
        need not be who has it here; it is said how each can take up its own."""
        for reader, place in self._database.readers(plan.topic.id):
            if reader == self._actor.agent:
                place = min(place, made.last_seq)
                self._bus.topics.join(self._actor, made.id, start=place)
                self._notes.append(f"{made.name}: {reader} goes on after number {place}, as before.")
            elif reader in self._agents:
                place = min(place, made.last_seq)
                self._notes.append(
                    f"{made.name}: {reader} had read up to number {place}; if it is the same agent, it goes "
                    f"on with: hubbub topic join {made.id} --from {place} --as {reader}"
                )


def _names(bus: Bus, topics: list[SourceTopic]) -> dict[str, str]:
    """A name for each topic, by the id it had. Of several with one name, the newest open one keeps it, else
    the newest; the others, and those whose name is taken here, get a number behind it."""
    taken = _names_here(bus)
    given = {}
    for topic in sorted(topics, key=lambda topic: (topic.closed_at is not None, -topic.created_at)):
        name = tried = name_of(topic)
        number = 1
        while topic_key(tried) in taken:
            number += 1
            suffix = f"-{number}"
            tried = name[: TOPIC_NAME_MAX - len(suffix)].rstrip() + suffix
        taken.add(topic_key(tried))
        given[topic.id] = tried
    return given


def _names_here(bus: Bus) -> set[str]:
    found: set[str] = set()
    after: str | None = None
    while True:
        page = bus.topics.list(state="all", after=after, limit=1000)
        found |= {topic_key(topic.name) for topic in page.topics}
        if page.next is None:
            return found
        after = page.next


def _chosen(found: list[SourceTopic], wanted: Iterable[str] | None) -> list[SourceTopic]:
    if wanted is None:
        return found
    names = set(wanted)
    for name in sorted(names):
        if not any(name in (topic.id, topic.name) for topic in found):
            raise TopicNotFound(
                f"The file has no topic {quoted(name)}; nothing was imported.",
                hint=_has(name, sorted({topic.name for topic in found})),
            )
    return [topic for topic in found if names & {topic.id, topic.name}]


def _has(wanted: str, names: list[str]) -> str:
    """Which topics a file has: those near to the wanted name, else the first ones."""
    near = nearest(wanted, names)
    if near:
        return f"Did you mean {' or '.join(safe_line(each, 80) for each in near)}?"
    if not names:
        return "It has no topic at all."
    more = f" and {len(names) - NAMES_SHOWN} more" if len(names) > NAMES_SHOWN else ""
    return f"It has: {', '.join(safe_line(each, 80) for each in names[:NAMES_SHOWN])}{more}."


def _plan(database: Database, topic: SourceTopic) -> _Plan:
    digest = hashlib.sha256(_fingerprint(topic))
    faults: list[tuple[str, str]] = []
    unlinked: list[str] = []
    count = fault_count = unlinked_count = 0
    for message in database.messages(topic.id):
        if message.imported is None:
            fault_count += 1
            if len(faults) < REPORTED:
                faults.append((message.id, message.fault))
            continue
        count += 1
        digest.update(fingerprint(message.imported))
        if message.unlinked:
            unlinked_count += 1
            if len(unlinked) < REPORTED:
                unlinked.append(message.id)
    source = f"agent-bus:{topic.id}:{digest.hexdigest()}"
    return _Plan(topic, source, count, tuple(faults), fault_count, tuple(unlinked), unlinked_count)


def _fingerprint(topic: SourceTopic) -> bytes:
    """What tells one topic from another, as bytes."""
    return repr((topic.id, topic.name, topic.created_at, topic.metadata)).encode()


def _refuse_faults(plans: list[_Plan]) -> None:
    said = []
    for plan in plans:
        shown = f"{safe_line(plan.topic.name, 80)} ({plan.topic.id})"
        if plan.topic.fault:
            said.append(f"{shown}: {plan.topic.fault}")
        said += [f"{shown}, message {safe_line(id_, 60)}: {why}" for id_, why in plan.faults]
    if said:
        count = sum(plan.fault_count + bool(plan.topic.fault) for plan in plans)
        more = f" And {count - 3} more." if count > 3 else ""
        raise ImportInvalid(
            f"This bus can't take all of it. {' '.join(said[:3])}{more}",
            hint="Nothing was imported. Choose other topics, or leave out what can't be taken with --skip.",
            faults=said[:REPORTED],
            count=count,
        )


__all__ = ["import_agent_bus"]
