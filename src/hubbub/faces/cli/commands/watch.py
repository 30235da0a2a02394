"""watch: messages as they come, in topics and in an agent's mail.

It reads along the ledger, woken by its bell: it takes nothing from anybody and moves no cursor.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, NamedTuple

from hubbub.clock import to_iso
from hubbub.errors import HubbubError, InvalidArgument, MessageNotFound, TopicNotFound
from hubbub.faces.cli.failures import UsageError
from hubbub.faces.cli.folding import cells, cut
from hubbub.faces.cli.holding import House
from hubbub.faces.cli.render import indented, plural
from hubbub.faces.cli.render_topics import closing, name_of
from hubbub.names import check_name
from hubbub.text import safe_line
from hubbub.wake.notify import LINE_MAX, TEXT_MIN, head_of, line_of, text_of
from hubbub.wire import message_dict, topic_message_dict

if TYPE_CHECKING:
    from hubbub.faces.cli.context import Context
    from hubbub.faces.cli.output import Output
    from hubbub.model import Event, Message
    from hubbub.model_topics import Topic, TopicMessage

PAGE = 200
PAGE_BYTES = 4 << 20
LAST_MAX = 1000
LOOK_AGAIN_SECONDS = 5.0
TOPIC_EVENTS = (
    "topic_created",
    "topic_posted",
    "topic_closed",
    "topic_reopened",
    "topic_renamed",
    "topic_deleted",
    "topic_imported",
)


def watch(context: Context) -> int:
    """Show messages as they come, until all that is watched has ended."""
    given = context.arguments
    if not given.topics and not given.all and given.mail is None:
        raise UsageError("Name topics to watch, or --all, or --mail NAME.", hint="Run: hubbub watch --help")
    if given.topics and given.all:
        raise UsageError("--all is every topic: name none beside it.", hint="Run: hubbub watch --help")
    if not 0 <= given.last <= LAST_MAX:
        raise InvalidArgument(f"last must be from 0 to {LAST_MAX}.")
    watching = Watch(context)
    watching.begin()
    house = House(context.bus)
    with context.bus.store.bell("events") as bell:
        while not watching.ended:
            came = watching.look()
            context.output.flush()
            if not (came or watching.ended):
                bell.wait(LOOK_AGAIN_SECONDS)
                context.output.check_read()
            house.keep()
    return 0


class Line(NamedTuple):
    """A message, as a line shows it."""

    at: int
    seq: int
    where: str
    sender: str
    kind: str
    id: str
    text: str
    record: dict[str, Any]
    plain: str = ""
    """Of mail, the whole line as the notify log has it."""

    @property
    def order(self) -> tuple[int, int]:
        """What to sort by: time, and within one moment the place in the topic or the mail."""
        return self.at, self.seq


class Watch:
    """What is watched, and how far it was shown."""

    def __init__(self, context: Context) -> None:
        given = context.arguments
        self._bus = context.bus
        self._output = context.output
        self._full: bool = given.full
        self._last: int = given.last
        self._all: bool = given.all
        names, mail = list(given.topics), given.mail
        if mail is None and len(names) == 1 and self._is_agent(names[0]):
            mail = names.pop()
        self._topics = [self._bus.topics.get(name) for name in names]
        self._mail = None if mail is None else self._bus.agents.get(check_name(mail)).name
        self._names: dict[str, str] = {}
        """Of each topic that was met: what it is called, for when it is gone."""
        self._shown: dict[str, int] = {}
        """Of each topic that is watched: the number of its message that was shown last."""
        latest = self._bus.events.events(newest=True, limit=1)
        self._seen_topics = self._seen_mail = latest[-1].seq if latest else 0

    def _is_agent(self, name: str) -> bool:
        """Whether no topic but an agent has the name."""
        try:
            self._bus.topics.get(name)
        except TopicNotFound:
            try:
                self._bus.agents.get(check_name(name))
            except HubbubError:
                return False
            return True
        return False

    @property
    def ended(self) -> bool:
        """Nothing can come any more."""
        return not (self._all or self._mail or self._shown)

    def begin(self) -> None:
        """Show the newest messages that were asked for, and which topics are closed already."""
        found: list[Line] = []
        for topic in self._topics:
            found += self._newest(topic, self._last)
        if self._all:
            found += self._newest_of_all(self._last)
        if self._mail and self._last:
            found += self._newest_mail(self._mail, self._last)
        for line in sorted(found, key=lambda line: line.order):
            self._show(line)
        for topic in self._topics:
            if topic.state != "open" and self._shown.pop(topic.id, None) is not None:
                self._tell(topic, "closed")
        self._output.flush()

    def _newest(self, topic: Topic, count: int) -> list[Line]:
        """The last messages of a topic; those after them are yet to be shown."""
        self._names[topic.id] = topic.name
        self._shown[topic.id] = topic.last_seq
        if not count:
            return []
        found = self._bus.topics.history(topic.id, newest=True, limit=count)
        if found.messages:
            self._shown[topic.id] = found.messages[-1].seq
        return [_of_topic(found.topic, message) for message in found.messages]

    def _newest_of_all(self, count: int) -> list[Line]:
        newest: list[Line] = []
        place: str | None = None
        while True:
            page = self._bus.topics.list(state="all", after=place, limit=PAGE, count_members=False)
            for topic in page.topics:
                # They come by their last activity: once that is older than what is found, the rest is, too.
                more = len(newest) < count or (bool(newest) and topic.last_at > newest[-1].at)
                newest += self._newest(topic, count if more else 0)
                newest = heapq.nlargest(count, newest, key=lambda line: line.order)
            if page.next is None:
                return newest
            place = page.next

    def _newest_mail(self, agent: str, count: int) -> list[Line]:
        events = self._bus.events.events(newest=True, limit=count, agent=agent, kinds=("message_sent",))
        self._seen_mail = max([self._seen_mail, *(event.seq for event in events)])
        return list(self._mail_of(events))

    def look(self) -> bool:
        """Show what came since; False when nothing happened."""
        topics = bool(self._all or self._shown) and self._look_at_topics()
        mail = self._mail is not None and self._look_at_mail(self._mail)
        return topics or mail

    def _look_at_topics(self) -> bool:
        # Read first: what is written meanwhile lies behind it and is looked at the next time.
        newest = self._bus.events.events(newest=True, limit=1)
        events = self._bus.events.events(after=self._seen_topics, limit=PAGE, kinds=TOPIC_EVENTS)
        happened: dict[str, dict[str, str | None]] = {}
        for event in events:
            if event.topic and (self._all or event.topic in self._shown):
                happened.setdefault(event.topic, {})[event.event] = event.actor
        for topic, what in happened.items():
            self._follow(topic, what)
        if len(events) == PAGE:
            self._seen_topics = events[-1].seq
        elif newest:
            # Other events than topics' need not be passed over again at each look.
            self._seen_topics = max(newest[0].seq, events[-1].seq if events else 0)
        return bool(events)

    def _look_at_mail(self, agent: str) -> bool:
        events = self._bus.events.events(
            after=self._seen_mail, limit=PAGE, agent=agent, kinds=("message_sent",)
        )
        for line in self._mail_of(events):
            self._show(line)
        if events:
            self._seen_mail = events[-1].seq
        return bool(events)

    def _mail_of(self, events: list[Event]) -> Iterator[Line]:
        """The mail that was sent, each once however many recipients it has."""
        for id_ in dict.fromkeys(event.message for event in events if event.message):
            try:
                yield _of_mail(self._bus.mail.message(id_))
            except MessageNotFound:
                continue  # removed meanwhile

    def _follow(self, id_: str, happened: dict[str, str | None]) -> None:
        """Show what is new in a topic, and tell what became of it; ``happened`` is what, and by whom."""
        try:
            topic = self._bus.topics.get(id_)
            if "topic_imported" in happened:
                self._shown.setdefault(id_, topic.last_seq)  # it came with its history
                self._tell(topic, "imported", by=happened["topic_imported"])
            elif self._all and "topic_created" in happened:
                self._tell(topic, "created", by=happened["topic_created"])
            topic = self._show_posts(id_)
        except TopicNotFound:
            if "topic_deleted" in happened and id_ in self._names:  # else an import that was given up
                self._tell_deleted(id_, happened["topic_deleted"])
            return
        before, self._names[id_] = self._names.get(id_, topic.name), topic.name
        if before != topic.name:
            self._tell(topic, "renamed", before=before, by=happened.get("topic_renamed"))
        if topic.state == "closed" and "topic_closed" in happened:
            self._tell(topic, "closed")
            if not self._all:
                del self._shown[id_]
        elif topic.state == "open" and "topic_reopened" in happened:
            self._tell(topic, "reopened", by=happened["topic_reopened"])

    def _show_posts(self, id_: str) -> Topic:
        """Show what was posted since; the topic."""
        after = self._shown.setdefault(id_, 0)
        while True:
            found = self._bus.topics.history(id_, after=after, limit=PAGE, max_bytes=PAGE_BYTES)
            for message in found.messages:
                self._show(_of_topic(found.topic, message))
                self._shown[id_] = message.seq
            if found.next_after is None:
                return found.topic
            after = found.next_after
            self._output.flush()

    def _tell_deleted(self, id_: str, by: str | None) -> None:
        name = self._names.get(id_, id_)
        self._shown.pop(id_, None)
        if self._output.json:
            answer: dict[str, Any] = {"event": "deleted", "topic": name, "topic_id": id_}
            self._output.answer(answer | ({"by": by} if by else {}))
        else:
            self._output.line(f"#{safe_line(name)} was deleted{_by(by)}")

    def _tell(self, topic: Topic, event: str, *, before: str | None = None, by: str | None = None) -> None:
        """Tell that something became of a topic itself."""
        if self._output.json:
            answer: dict[str, Any] = {"event": event, "topic": topic.name, "topic_id": topic.id}
            answer |= {} if before is None else {"before": before}
            answer |= {"by": by or topic.closed_by} if by or topic.closed_by else {}
            answer |= {"close_reason": topic.close_reason} if topic.close_reason else {}
            self._output.answer(answer)
            return
        told = {
            "closed": closing(topic, self._bus.store.now()),
            "renamed": f"called #{safe_line(before or '')} before; renamed{_by(by)}",
            "imported": f"imported{_by(by)}: {plural(topic.last_seq, 'message')}",
        }
        self._output.line(f"{name_of(topic)} was {told.get(event, event + _by(by))}")

    def _show(self, line: Line) -> None:
        if self._output.json:
            self._output.answer(line.record)
        elif self._full:
            self._output.line(f"{_head(line, self._output)} {line.id}".rstrip())
            indented(line.text, self._output)
        elif line.plain and self._output.width is None:
            self._output.line(line.plain)
        else:
            head = f"{to_iso(line.at)}  {line.where}  {line.sender}{line.kind}: "
            room = max(TEXT_MIN, (self._output.width or LINE_MAX) - cells(head))
            text = cut(safe_line(line.text[: room + 1]), room)
            self._output.line(f"{_head(line, self._output)}: {text}")


def _by(agent: str | None) -> str:
    return f" by {safe_line(agent)}" if agent else ""


def _head(line: Line, output: Output) -> str:
    at, where = output.styled(to_iso(line.at), "dim"), output.styled(line.where, "cyan")
    return f"{at}  {where}  {output.styled(line.sender, 'bold')}{line.kind}"


def _of_topic(topic: Topic, message: TopicMessage) -> Line:
    record = {"topic": topic.name, "topic_id": topic.id, **topic_message_dict(message)}
    return _line(message, f"{name_of(topic)} {message.seq}", message.body, record)


def _of_mail(message: Message) -> Line:
    head = head_of(message)
    return Line(
        at=message.created_at,
        seq=message.seq,
        where=head.where,
        sender=head.sender,
        kind=head.marks,
        id="",  # it is in the head
        text=text_of(message),
        record=message_dict(message),
        plain=line_of(message),
    )


def _line(message: TopicMessage, where: str, text: str, record: dict[str, Any]) -> Line:
    return Line(
        at=message.created_at,
        seq=message.seq,
        where=where,
        sender=safe_line(message.sender),
        kind="" if message.kind == "message" else f" ({safe_line(message.kind)})",
        id=message.id,
        text=text,
        record=record,
    )
