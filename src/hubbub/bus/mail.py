"""Mail: sending, receiving, settling, and asking where a message is."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from hubbub.bus import checking
from hubbub.bus.agents import Agents
from hubbub.bus.waiting import LOOK_AGAIN_SECONDS, Pause, Steps, run
from hubbub.errors import HubbubError, InboxFull, InvalidArgument, MessageNotFound, NotFound
from hubbub.model import Actor, Delivery, Draft, Filter, Handout, Message, Page, Receipt, Sent
from hubbub.names import (
    BUS_NAME,
    NAME_RULE,
    PRIORITIES,
    REPLY_KINDS,
    check_kind,
    check_name,
    check_word,
    parse_message_id,
    parse_post_id,
)
from hubbub.stores.contract import Store
from hubbub.text import safe_line

WEEK_SECONDS = 7 * 86_400
LIMIT_MAX = 1000


class Mail:
    """The mail of one bus. The first argument of most methods says who acts."""

    def __init__(self, store: Store, agents: Agents) -> None:
        self._store = store
        self._agents = agents

    # --- sending -----------------------------------------------------------------------------

    def draft(
        self,
        to: str | list[str] | tuple[str, ...] | None,
        body: str,
        *,
        subject: str = "",
        kind: str | None = None,
        priority: str = "normal",
        metadata: dict[str, Any] | None = None,
        thread: str | None = None,
        in_reply_to: str | None = None,
        reply_within: float | None = None,
        ttl: float | None = None,
        announce: bool = False,
        actor: Actor | None = None,
    ) -> Draft:
        """A checked message, ready for :meth:`send`.

        Args:
            to: A name, several, or ``*``; may be left out in a reply.
            body: The text; not empty.
            kind: A word, e.g. ``task``; a reply takes its kind from what it answers.
            priority: ``urgent``, ``normal`` or ``low``.
            metadata: A JSON object.
            thread: A thread to add to: its name, or the id of any message in it.
            in_reply_to: The message that this answers; settles it.
            reply_within: Seconds within which an answer is wanted.
            ttl: Seconds after which the message is dead if nobody took it.
            announce: Put a copy into ``#all``, for everyone to know of; it wakes nobody.
            actor: Who will send it; needed for a reply.

        Raises:
            InvalidArgument, InvalidName: something given is not as above.
            MessageNotFound, NotYourMessage: ``in_reply_to`` can't be answered by the actor.
        """
        if in_reply_to is not None:
            checking.text(in_reply_to, "in_reply_to", 100, empty=False)
            with self._mail_only(in_reply_to):
                original = self._store.mail.message(in_reply_to, reader=actor.agent if actor else None)
            if original.sender == BUS_NAME:
                in_reply_to = _reminded_of(original)
                original = self._store.mail.message(in_reply_to, reader=actor.agent if actor else None)
            to = original.sender if to is None else to
            thread = original.thread if thread is None else thread
            kind = REPLY_KINDS.get(original.kind, "message") if kind is None else kind
        return Draft(
            recipients=checking.recipients(to),
            body=checking.body(body),
            subject=checking.text(subject, "subject", checking.SUBJECT_MAX),
            kind=check_kind("message" if kind is None else kind),
            priority=check_word(priority, PRIORITIES, "priority"),
            metadata=checking.metadata(metadata),
            thread=self._thread(thread, actor),
            in_reply_to=in_reply_to,
            reply_within_ms=None
            if reply_within is None
            else checking.seconds(reply_within, "reply_within", WEEK_SECONDS * 52, 1),
            announce=announce,
            ttl_ms=None if ttl is None else checking.seconds(ttl, "ttl", WEEK_SECONDS * 52, 0.001),
        )

    def send(self, actor: Actor, draft: Draft, *, key: str | None = None, wait_for_room: float = 0) -> Sent:
        """Send it; returns once it is on disk. Waits up to ``wait_for_room`` seconds for a full inbox.

        Raises:
            UnknownRecipient, NoInbox, InboxFull, MessageTooLarge, RoleForbids: nothing was sent.
        """
        return run(self.sending(actor, draft, key=key, wait_for_room=wait_for_room))

    def sending(
        self, actor: Actor, draft: Draft, *, key: str | None = None, wait_for_room: float = 0
    ) -> Steps[Sent]:
        """:meth:`send` in steps, for callers with their own way to wait."""
        key = checking.key(key)
        patience = checking.seconds(wait_for_room, "wait_for_room", WEEK_SECONDS) / 1000
        deadline = time.monotonic() + patience
        while True:
            try:
                return self._store.mail.send(actor, draft, key=key)
            except InboxFull as full:
                if time.monotonic() >= deadline:
                    _tell_of_waiting(full, patience)
                    raise
                name = full.details["recipient"]
            with self._store.bell(f"room/{name}") as bell:
                try:
                    return self._store.mail.send(actor, draft, key=key)
                except InboxFull as full:
                    left = deadline - time.monotonic()
                    if left <= 0:
                        _tell_of_waiting(full, patience)
                        raise
                yield Pause(bell, min(left, LOOK_AGAIN_SECONDS))

    def reply(self, actor: Actor, id: str, body: str, *, key: str | None = None, **fields: Any) -> Sent:
        """Answer a message: to its sender, in its thread, in the kind that answers its kind.

        ``fields`` are those of :meth:`draft`. Settles the message.
        """
        draft = self.draft(fields.pop("to", None), body, in_reply_to=id, actor=actor, **fields)
        return self.send(actor, draft, key=key)

    def _thread(self, thread: str | None, actor: Actor | None) -> str | None:
        """The thread's own name, when a message of it was named."""
        if thread is None:
            return None
        checking.label(thread, "thread", checking.THREAD_MAX)
        if parse_message_id(thread) is None:
            return thread
        return self._store.mail.message(thread, reader=actor.agent if actor else None).thread

    # --- receiving ---------------------------------------------------------------------------

    def receive(
        self,
        actor: Actor,
        *,
        wait: float = 0,
        limit: int = 1,
        sender: str | None = None,
        kind: str | None = None,
        priority: str | None = None,
        thread: str | None = None,
        max_bytes: int | None = None,
        lease: float | None = None,
        settle: tuple[str, ...] = (),
        key: str | None = None,
    ) -> Handout:
        """Take up to ``limit`` messages, waiting up to ``wait`` seconds for the first.

        Each is leased for ``lease`` seconds (300): settle it by then, or it comes back marked
        redelivered. ``settle`` names deliveries of this session to settle in the same stroke.

        Raises:
            RoleForbids: a publisher has no inbox.
        """
        return run(
            self.receiving(
                actor,
                self.filter(sender, kind, priority, thread),
                wait=wait,
                limit=limit,
                max_bytes=max_bytes,
                lease=lease,
                settle=settle,
                key=key,
            )
        )

    def receiving(
        self,
        actor: Actor,
        wanted: Filter,
        *,
        wait: float = 0,
        limit: int = 1,
        max_bytes: int | None = None,
        lease: float | None = None,
        settle: tuple[str, ...] = (),
        key: str | None = None,
    ) -> Steps[Handout]:
        """:meth:`receive` in steps, for callers with their own way to wait."""
        options: dict[str, Any] = {
            "limit": checking.number(limit, "limit", 1, LIMIT_MAX),
            "max_bytes": max_bytes,
            "lease_ms": None if lease is None else checking.seconds(lease, "lease", 86_400, 1),
        }
        patience = checking.seconds(wait, "wait", WEEK_SECONDS) / 1000
        deadline = time.monotonic() + patience
        options["key"] = checking.key(key)
        handout = self._store.mail.receive(actor, wanted, settle=settle, **options)
        if not handout.deliveries and self._holder_gone(actor):
            handout = self._store.mail.receive(actor, wanted, **options)
        if handout.deliveries or patience == 0:
            return handout
        with self._store.bell(f"inbox/{actor.agent}") as bell:
            while True:
                handout = self._store.mail.receive(actor, wanted, **options)
                left = deadline - time.monotonic()
                if handout.deliveries or left <= 0:
                    return handout
                yield Pause(bell, min(left, LOOK_AGAIN_SECONDS, self._until(handout.next_due_at)))

    def _until(self, due: int | None) -> float:
        """Seconds until ``due``, at least a little, so that a clock that lags is not asked in a loop."""
        if due is None:
            return LOOK_AGAIN_SECONDS
        return max(0.005, (due - self._store.now()) / 1000)

    def _holder_gone(self, actor: Actor) -> bool:
        """End the session that holds the name if it is another one whose process is gone."""
        return actor.session is None and self._agents.end_if_gone(actor.agent)

    def filter(
        self,
        sender: str | None = None,
        kind: str | None = None,
        priority: str | None = None,
        thread: str | None = None,
    ) -> Filter:
        """A checked filter."""
        if thread is not None:
            checking.label(thread, "thread", checking.THREAD_MAX)
        return Filter(
            sender=None if sender is None else check_name(sender, "sender"),
            kind=None if kind is None else check_kind(kind),
            priority=None if priority is None else check_word(priority, PRIORITIES, "priority"),
            thread=thread,
        )

    def peek(self, agent: str, wanted: Filter | None = None, *, limit: int = 10) -> Handout:
        """What waits in an inbox; changes nothing."""
        limit = checking.number(limit, "limit", 1, LIMIT_MAX)
        return self._store.mail.peek(check_name(agent), wanted or Filter(), limit=limit)

    def unread_in_all(self, agent: str) -> int:
        """How many messages of ``#all`` an agent has not read: announcements, which wake nobody."""
        return self._store.mail.unread_in_all(check_name(agent))

    def acknowledge(self, actor: Actor, ids: str | list[str], *, key: str | None = None) -> tuple[str, ...]:
        """Settle deliveries: done with. All or none.

        Raises:
            AlreadySettled, DeliveryDead, NotYourMessage, MessageNotFound: nothing was settled.
        """
        checked = checking.message_ids(ids)
        with self._mail_only(*checked):
            return self._store.mail.settle(actor, checked, key=checking.key(key))

    def release(
        self, actor: Actor, ids: str | list[str], *, delay: float = 0, key: str | None = None
    ) -> tuple[str, ...]:
        """Give deliveries back, to be handed out again after ``delay`` seconds. All or none."""
        delay_ms = checking.seconds(delay, "delay", WEEK_SECONDS)
        checked = checking.message_ids(ids)
        with self._mail_only(*checked):
            return self._store.mail.release(actor, checked, delay_ms=delay_ms, key=checking.key(key))

    def take_back(self, actor: Actor, ids: tuple[str, ...]) -> None:
        """Undo a hand-out that never left this process: it does not count. Skips what is not in hand."""
        for id_ in ids:
            try:
                self._store.mail.release(actor, (id_,), unseen=True)
            except HubbubError:
                continue  # settled, dead or fenced meanwhile: then there is nothing to undo

    def settle_implicitly(self, actor: Actor, ids: tuple[str, ...]) -> tuple[str, ...]:
        """Settle what this session evidently has had; see the tools' reference."""
        return self._store.mail.settle_implicitly(actor, ids) if ids else ()

    @contextmanager
    def _mail_only(self, *ids: str) -> Iterator[None]:
        """Where one of ``ids`` is no mail but a topic's message, say so and how it is answered."""
        try:
            yield
        except MessageNotFound:
            for id_ in ids:
                self._refuse_post(id_)
            raise

    def _refuse_post(self, id_: str) -> None:
        if parse_post_id(id_) is None:
            return
        try:
            post = self._store.topics.message(id_)
            topic = self._store.topics.get(post.topic)
        except NotFound:
            return
        name = topic.name if NAME_RULE.fullmatch(topic.name) else topic.id
        raise MessageNotFound(
            f"{id_} is a message of the topic #{safe_line(topic.name)}, not mail.",
            hint=f"Answer it there: sync(topic={name!r}, outbox=[{{'body': TEXT, 'reply_to': {id_!r}}}]), "
            f"or hubbub sync {name} --post TEXT --reply-to {id_}. There is nothing to settle.",
            topic=topic.id,
        )

    # --- looking -----------------------------------------------------------------------------

    def message(self, id: str, *, reader: str | None = None) -> Message:
        """One message, if ``reader`` (None: the operator) may see it."""
        return self._store.mail.message(checking.text(id, "id", 100), reader=reader)

    def whereabouts(self, id: str, *, reader: str | None = None) -> Receipt:
        """Where a message is, for each recipient."""
        with self._mail_only(checking.text(id, "id", 100)):
            return self._store.mail.whereabouts(id, reader=reader)

    def thread(self, thread: str, *, reader: str | None = None, after: int = 0, limit: int = 50) -> Page:
        """Part of a thread, oldest first; named by its name or by any message in it."""
        checking.label(thread, "thread", checking.THREAD_MAX)
        limit = checking.number(limit, "limit", 1, LIMIT_MAX)
        after = checking.number(after, "after", 0, 2**62)
        return self._store.mail.thread(thread, reader=reader, after=after, limit=limit)

    # --- dead letters --------------------------------------------------------------------------

    def dead(self, *, agent: str | None = None, after: int = 0, limit: int = 50) -> list[Delivery]:
        """Dead letters with their reasons."""
        limit = checking.number(limit, "limit", 1, LIMIT_MAX)
        name = None if agent is None else check_name(agent)
        return self._store.mail.dead(agent=name, after=after, limit=limit)

    def retry(self, ids: str | list[str], *, agent: str | None = None) -> int:
        """Queue dead letters again; how many."""
        return self._store.mail.retry(checking.message_ids(ids), agent=agent)

    def purge(self, ids: str | list[str], *, agent: str | None = None) -> int:
        """Remove dead letters for good; how many."""
        return self._store.mail.purge(checking.message_ids(ids), agent=agent)


def _reminded_of(reminder: Message) -> str:
    """What an answer to the bus's own mail is meant for: the question that it reminds of.

    Raises:
        InvalidArgument: it reminds of several, or of none, and the bus reads no answers.
    """
    told = reminder.metadata or {}
    asked = told.get("reminds")
    if isinstance(asked, str) and told.get("also"):
        raise InvalidArgument(
            f"{reminder.id} reminds of several questions.",
            hint=f"Answer each by its own id, {asked} first.",
        )
    if isinstance(asked, str):
        return asked
    raise InvalidArgument(
        f"{reminder.id} comes from the bus itself, which reads no answers.",
        hint="Write to the agent that it speaks of.",
    )


def _tell_of_waiting(full: InboxFull, patience: float) -> None:
    """Say in the error whether it was waited for room, and how that is asked for."""
    if patience > 0:
        full.message += f" It was so for the {patience:g} s that were waited."
        full.hint = "Try again later, or write to another agent."
    else:
        full.hint = "Try again later, or wait for room: wait_for_room_seconds, or --wait-for-room SECONDS."
