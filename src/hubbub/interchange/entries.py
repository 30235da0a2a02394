"""What is exported, read page by page: the facts of a topic or thread, and its messages in order."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator
from typing import Any, NamedTuple

from hubbub.bus import Bus
from hubbub.clock import to_iso
from hubbub.model import Message
from hubbub.model_topics import Topic, TopicMessage

PAGE = 500
PAGE_BYTES = 1 << 20
MAIL_PAGE = 50
"""Of mail, whose pages are bounded by their number alone."""

REMEMBERED = 50_000
"""How many of the last messages are known by id, to name what is answered by its number."""


class Entry(NamedTuple):
    """One message of an export."""

    number: int
    """What other messages of the export call it by: its number in the topic, or its place in the thread."""
    id: str
    sender: str
    kind: str
    reply_to: str | None
    reply_number: int | None
    """The number of what it answers; None when that is not known here."""
    created_at: int
    body: str
    metadata: dict[str, Any] | None
    record: dict[str, Any]
    """The whole of it, as JSON Lines hold it."""
    recipients: tuple[str, ...] = ()
    subject: str = ""
    priority: str = "normal"


class Facts(NamedTuple):
    """What an export says of the whole."""

    title: str
    total: int
    header: dict[str, Any]
    """The first line in JSON Lines, but for the time of the export."""
    lines: tuple[tuple[str, str], ...]
    """For people: a word and what there is to say of it."""
    metadata: dict[str, Any] | None = None


class TopicSource:
    """A topic as it is now, or one thread in it."""

    def __init__(self, bus: Bus, topic: str, *, thread: str | None, after: int) -> None:
        self._bus = bus
        self._topic = bus.topics.get(topic)
        self._thread = thread
        self._after = after
        self._numbers: OrderedDict[str, int] = OrderedDict()
        if thread is None:
            count = max(0, self._topic.last_seq - after)
        else:
            count = sum(len(page) for page in self._pages())
        self.facts = _topic_facts(self._topic, count, thread=thread, after=after)

    def pages(self) -> Iterator[list[Entry]]:
        """The messages, a page at a time."""
        for page in self._pages():
            yield [self._entry(message) for message in page]

    def _pages(self) -> Iterator[tuple[TopicMessage, ...]]:
        after: int | None = self._after
        end = self._topic.last_seq + 1
        while after is not None and after + 1 < end:
            # By its id: a name may lead to another topic by now.
            found = self._bus.topics.history(
                self._topic.id, after=after, before=end, thread=self._thread, limit=PAGE, max_bytes=PAGE_BYTES
            )
            yield found.messages
            after = found.next_after

    def _entry(self, message: TopicMessage) -> Entry:
        self._numbers[message.id] = message.seq
        if len(self._numbers) > REMEMBERED:
            self._numbers.popitem(last=False)
        answered = None if message.reply_to is None else self._number(message.reply_to)
        record = {
            "id": message.id,
            "seq": message.seq,
            "from": message.sender,
            "kind": message.kind,
            "reply_to": message.reply_to,
            "reply_to_seq": answered,
            "thread": message.thread,
            "created_at": to_iso(message.created_at),
            "body": message.body,
            "metadata": message.metadata,
        }
        return Entry(
            number=message.seq,
            id=message.id,
            sender=message.sender,
            kind=message.kind,
            reply_to=message.reply_to,
            reply_number=answered,
            created_at=message.created_at,
            body=message.body,
            metadata=message.metadata,
            record=record,
        )

    def _number(self, id_: str) -> int:
        known = self._numbers.get(id_)
        return self._bus.topics.message(id_).seq if known is None else known


class ThreadSource:
    """A thread of mail as ``reader`` sees it now."""

    def __init__(self, bus: Bus, thread: str, *, reader: str | None, after: int) -> None:
        self._bus = bus
        self._reader = reader
        self._after = after
        self._thread = thread
        self._numbers: dict[str, int] = {}
        self._last = after
        count, title = 0, ""
        for page in self._pages(None):
            for message in page:
                if not count:
                    self._thread = message.thread
                    title = message.subject or message.thread
                count += 1
                self._last = message.seq
        self.facts = Facts(
            title=title or thread,
            total=count,
            header={
                "format": "hubbub-thread",
                "version": 1,
                "thread": self._thread,
                "reader": reader,
                "after": after,
                "count": count,
            },
            lines=(("Thread", self._thread), *_from(after)),
        )

    def pages(self) -> Iterator[list[Entry]]:
        """The messages, a page at a time."""
        number = 0
        for page in self._pages(self._last):
            entries = []
            for message in page:
                number += 1
                self._numbers[message.id] = number
                entries.append(self._entry(number, message))
            yield entries

    def _pages(self, last: int | None) -> Iterator[list[Message]]:
        after: int | None = self._after
        while after is not None and (last is None or after < last):
            page = self._bus.mail.thread(self._thread, reader=self._reader, after=after, limit=MAIL_PAGE)
            yield [message for message in page.messages if last is None or message.seq <= last]
            after = page.next_seq

    def _entry(self, number: int, message: Message) -> Entry:
        record = {
            "id": message.id,
            "seq": message.seq,
            "from": message.sender,
            "to": list(message.recipients),
            "kind": message.kind,
            "priority": message.priority,
            "subject": message.subject,
            "in_reply_to": message.in_reply_to,
            "thread": message.thread,
            "reply_due": None if message.reply_due is None else to_iso(message.reply_due),
            "created_at": to_iso(message.created_at),
            "body": message.body,
            "metadata": message.metadata,
        }
        answered = message.in_reply_to
        return Entry(
            number=number,
            id=message.id,
            sender=message.sender,
            kind=message.kind,
            reply_to=answered,
            reply_number=None if answered is None else self._numbers.get(answered),
            created_at=message.created_at,
            body=message.body,
            metadata=message.metadata,
            record=record,
            recipients=message.recipients,
            subject=message.subject,
            priority=message.priority,
        )


def _topic_facts(topic: Topic, count: int, *, thread: str | None, after: int) -> Facts:
    closed = None if topic.closed_at is None else to_iso(topic.closed_at)
    header = {
        "format": "hubbub-topic",
        "version": 1,
        "topic": {
            "id": topic.id,
            "name": topic.name,
            "state": topic.state,
            "metadata": topic.metadata,
            "created_by": topic.created_by,
            "created_at": to_iso(topic.created_at),
            "closed_by": topic.closed_by,
            "closed_at": closed,
            "close_reason": topic.close_reason,
        },
        "thread": thread,
        "after": after,
        "count": count,
    }
    made = to_iso(topic.created_at) + (f" by {topic.created_by}" if topic.created_by else "")
    lines = [("Topic", topic.id), ("Created", made), ("State", topic.state)]
    if closed is not None:
        lines.append(("Closed", closed + (f" by {topic.closed_by}" if topic.closed_by else "")))
    if topic.close_reason:
        lines.append(("Reason", topic.close_reason))
    if thread is not None:
        lines.append(("Thread", f"only that of {thread}"))
    return Facts(
        title=f"#{topic.name}",
        total=count,
        header=header,
        lines=(*lines, *_from(after)),
        metadata=topic.metadata,
    )


def _from(after: int) -> tuple[tuple[str, str], ...]:
    return (("Part", f"only what comes after number {after}"),) if after else ()
