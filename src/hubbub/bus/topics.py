"""Topics: kept streams that several agents post to and each reads at its own pace."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from hubbub.bus import checking
from hubbub.bus.agents import Agents
from hubbub.bus.waiting import LOOK_AGAIN_SECONDS, Pause, Steps, run
from hubbub.errors import HubbubError, InvalidArgument, MessageTooLarge, StoreError
from hubbub.model import MAX_MESSAGE_BYTES, Actor
from hubbub.model_topics import (
    EVERYBODY,
    HANDOUT_MS,
    LATEST,
    OUTBOX_MAX,
    SYNC_MAX,
    Changed,
    Created,
    Hand,
    Membership,
    Post,
    Synced,
    Topic,
    TopicMessage,
    TopicPage,
    TopicRange,
)
from hubbub.names import check_kind, check_name, check_topic_name, check_word
from hubbub.stores.contract import Bell, Store

WEEK_SECONDS = 7 * 86_400
REASON_MAX = 1000
METADATA_BYTES = 16_384
PAGE_MAX = 1000
STATES = ("open", "closed", "all")
PLACES = ("start", "latest")


class Topics:
    """The topics of one bus. A topic is named by its id or its name, with or without ``#``."""

    def __init__(self, store: Store, agents: Agents | None = None) -> None:
        self._store = store
        self._agents = Agents(store) if agents is None else agents

    # --- topics ------------------------------------------------------------------------------

    def create(
        self,
        actor: Actor,
        name: str | None = None,
        *,
        metadata: dict[str, Any] | None = None,
        reuse: bool = True,
        key: str | None = None,
    ) -> Created:
        """Make a topic and join it; with ``reuse`` an open one of that name is used instead.

        Raises:
            InvalidArgument: not a name, or more than 16 KiB of metadata.
            TopicExists: the name is taken, and ``reuse`` is False.
        """
        return self._store.topics.create(
            actor,
            None if name is None else check_topic_name(name),
            metadata=_small(checking.metadata(metadata)),
            reuse=reuse,
            key=checking.key(key),
        )

    def get(self, topic: str, *, agent: str | None = None) -> Topic:
        """One topic, with what ``agent`` has unread there.

        Raises:
            TopicNotFound: there is none.
        """
        if agent is not None:
            self._agents.end_if_gone(check_name(agent))
        return self._store.topics.get(_topic(topic), agent=agent)

    def list(
        self,
        *,
        agent: str | None = None,
        state: str = "open",
        match: str | None = None,
        after: str | None = None,
        limit: int = 50,
        count_members: bool = True,
    ) -> TopicPage:
        """Topics, the last active first, with what ``agent`` has unread in each."""
        if agent is not None:
            self._agents.end_if_gone(check_name(agent))
        return self._store.topics.list(
            agent=None if agent is None else check_name(agent),
            state=check_word(state, STATES, "state"),
            match=None if match is None else checking.label(match, "match", 128),
            after=None if after is None else checking.text(after, "after", 100, empty=False),
            limit=checking.number(limit, "limit", 1, PAGE_MAX),
            count_members=count_members,
        )

    def close(self, actor: Actor, topic: str, *, reason: str = "") -> Changed:
        """Close it: it can be read, and nobody can post. Those who wait in it are told."""
        reason = checking.text(reason, "reason", REASON_MAX)
        return self._store.topics.close(actor, _topic(topic), reason=reason)

    def reopen(self, actor: Actor, topic: str) -> Changed:
        """Undo :meth:`close`."""
        return self._store.topics.reopen(actor, _topic(topic))

    def rename(self, actor: Actor, topic: str, name: str) -> Changed:
        """Give it another name. Its messages stay as they are."""
        return self._store.topics.rename(actor, _topic(topic), check_topic_name(name))

    def delete(self, actor: Actor, topic: str) -> Changed:
        """Remove it with all its messages, for good. The caller has asked whether it is meant."""
        return self._store.topics.delete(actor, _topic(topic))

    # --- members -----------------------------------------------------------------------------

    def join(self, actor: Actor, topic: str, *, start: str | int | None = None) -> Membership:
        """Become a member, reading from the ``start``, from the ``latest`` or after a number; left out,
        where an earlier membership left off, else from the start."""
        return self._store.topics.join(actor, _topic(topic), start=None if start is None else place(start))

    def leave(self, actor: Actor, topic: str) -> Membership:
        """Be a member no longer. The place in the topic is kept."""
        return self._store.topics.leave(actor, _topic(topic))

    def members(self, topic: str, *, limit: int = 200) -> tuple[Membership, ...]:
        """Who is in a topic, how far each has read, and when it was last seen there."""
        self._agents.all()  # ends the sessions of processes that are gone
        return self._store.topics.members(_topic(topic), limit=checking.number(limit, "limit", 1, PAGE_MAX))

    def reset(self, actor: Actor, topic: str, to: str | int) -> Membership:
        """Go on from the ``start``, the ``latest`` or after a number: what comes then is handed out again."""
        return self._store.topics.reset(actor, _topic(topic), place(to))

    # --- sync --------------------------------------------------------------------------------

    def post(
        self,
        body: str,
        *,
        kind: str = "message",
        reply_to: str | None = None,
        metadata: dict[str, Any] | None = None,
        key: str | None = None,
    ) -> Post:
        """A checked message, ready for the outbox of :meth:`sync`.

        Raises:
            InvalidArgument: something given is not as it should be.
            MessageTooLarge: body and metadata together exceed 1 MiB.
        """
        post = Post(
            body=checking.body(body),
            kind=check_kind(kind),
            reply_to=None if reply_to is None else checking.text(reply_to, "reply_to", 100, empty=False),
            metadata=checking.metadata(metadata),
            key=checking.key(key),
        )
        size = len(post.body.encode()) + checking.json_bytes(post.metadata)
        if size > MAX_MESSAGE_BYTES:
            raise MessageTooLarge(
                f"The message has {size} bytes; a topic takes up to {MAX_MESSAGE_BYTES}.",
                limit=MAX_MESSAGE_BYTES,
            )
        return post

    def sync(self, actor: Actor, topic: str, outbox: tuple[Post, ...] = (), **options: Any) -> Synced:
        """Post, acknowledge, read what others posted and wait for it: see :meth:`syncing`."""
        return run(self.syncing(actor, topic, outbox, **options))

    def syncing(
        self,
        actor: Actor,
        topic: str,
        outbox: tuple[Post, ...] = (),
        *,
        wait: float = 0,
        limit: int = 20,
        max_bytes: int | None = None,
        auto_advance: bool = True,
        ack_through: int | None = None,
        confirm: tuple[Hand, ...] = (),
        lease: float = HANDOUT_MS / 1000,
        before_wait: Callable[[Synced], None] | None = None,
    ) -> Steps[Synced]:
        """One sync, in steps: the first try posts and reads; if it reads nothing, up to ``wait`` seconds
        for something to read. A topic that is closed, or gets closed meanwhile, ends the wait.

        Args:
            actor: Who acts.
            topic: Where.
            outbox: What to post, in order, all or nothing: up to 50 of :meth:`post`.
            wait: Seconds to wait for something to read.
            limit: How many messages to read at most, up to 100.
            max_bytes: About how much text to read at most; never less than one message.
            auto_advance: Hand out each message once, and again only when nobody confirms
                :attr:`Synced.hand` within ``lease`` seconds. False: the same messages come until
                ``ack_through`` says that they are dealt with.
            ack_through: All up to this number are dealt with; only without ``auto_advance``.
            confirm: Hand-outs of earlier syncs that have arrived.
            lease: Seconds.
            before_wait: Called with what the first try led to, before a wait begins.

        Raises:
            TopicNotFound, TopicClosed, NotJoined, ReplyNotFound, CursorOutOfRange: nothing was posted.
            TopicNotFound: also when the topic is deleted during the wait.
        """
        if len(outbox) > OUTBOX_MAX:
            raise InvalidArgument(f"An outbox takes up to {OUTBOX_MAX} messages, not {len(outbox)}.")
        if ack_through is not None and auto_advance:
            raise InvalidArgument(
                "ack_through goes with auto_advance=false: otherwise the cursor advances by itself."
            )
        name = _topic(topic)
        options: dict[str, Any] = {
            "automatic": auto_advance,
            "limit": checking.number(limit, "limit", 1, SYNC_MAX),
            "max_bytes": max_bytes,
            "lease_ms": checking.seconds(lease, "lease", 86_400, 1),
        }
        ack = None if ack_through is None else checking.number(ack_through, "ack_through", 0, 2**62)
        deadline = time.monotonic() + checking.seconds(wait, "wait", WEEK_SECONDS) / 1000
        if actor.session is None:
            # What a killed process had in hand comes before anything new.
            self._agents.end_if_gone(actor.agent)
        first = self._store.topics.sync(
            actor, name, outbox=outbox, ack_through=ack, confirm=confirm, **options
        )
        if first.messages or first.topic.state != "open" or time.monotonic() >= deadline:
            return first
        if before_wait is not None:
            before_wait(first)
        with self._store.bell(f"topic/{first.topic.id}") as bell:
            try:
                return (yield from self._waiting(actor, first, options, deadline, bell))
            except StoreError:
                if not first.posted:
                    raise
                # It is posted: an error would ask for it again.
                return first
            except HubbubError as error:
                if first.posted:
                    ids = ", ".join(posted.id for posted in first.posted)
                    error.details["posted"] = [posted.id for posted in first.posted]
                    error.hint = f"What you sent was posted before ({ids}): don't post it again. {error.hint}"
                raise

    def _waiting(
        self, actor: Actor, first: Synced, options: dict[str, Any], deadline: float, bell: Bell
    ) -> Steps[Synced]:
        """Look again whenever it rings, until there is something to read."""
        everybodys = first.topic.name == EVERYBODY
        while True:
            left = deadline - time.monotonic()
            # Announcements wake nobody: they are had with the next message, or when the wait ends.
            if everybodys and left > 0 and self._only_announced(actor.agent, first.topic):
                yield Pause(bell, min(left, LOOK_AGAIN_SECONDS))
                continue
            # By its id: a name may lead to another topic by now.
            again = self._store.topics.sync(actor, first.topic.id, **options)
            left = deadline - time.monotonic()
            if again.messages or again.topic.state != "open" or left <= 0:
                return again._replace(posted=first.posted, joined=first.joined)
            yield Pause(bell, min(left, LOOK_AGAIN_SECONDS, self._until(again.next_due_at)))

    def _only_announced(self, agent: str, since: Topic) -> bool:
        """Whether there is something to read, and nothing but announcements made since then."""
        unread = self._store.topics.get(since.id, agent=agent).unread or 0
        if not 0 < unread <= PAGE_MAX:
            return False
        part = self._store.topics.history(since.id, after=since.last_seq, limit=unread + SYNC_MAX)
        others = [message for message in part.messages if message.sender != agent]
        return len(others) >= unread and all(map(_is_announcement, others))

    def _until(self, due: int | None) -> float:
        if due is None:
            return LOOK_AGAIN_SECONDS
        return max(0.005, (due - self._store.now()) / 1000)

    def confirm(self, actor: Actor, hands: tuple[Hand, ...]) -> int:
        """The reader has had what these hand-outs held; how many were still open."""
        return self._store.topics.confirm(actor, hands) if hands else 0

    def take_back(self, actor: Actor, hands: tuple[Hand, ...], *, unseen: bool = True) -> int:
        """Undo hand-outs that never left this process; others, not ``unseen``, come back marked
        redelivered, because somebody may have read a part."""
        return self._store.topics.give_back(actor, hands, unseen=unseen) if hands else 0

    # --- history -----------------------------------------------------------------------------

    def history(
        self,
        topic: str,
        *,
        after: int = 0,
        before: int | None = None,
        newest: bool = False,
        thread: str | None = None,
        limit: int = 50,
        max_bytes: int | None = None,
    ) -> TopicRange:
        """Part of a topic, or of a thread in it, in order. Needs no membership and moves no cursor.

        Raises:
            TopicNotFound, ThreadNotFound: it is not there.
        """
        return self._store.topics.history(
            _topic(topic),
            after=checking.number(after, "after", 0, 2**62),
            before=None if before is None else checking.number(before, "before", 0, 2**62),
            newest=newest,
            thread=None if thread is None else checking.text(thread, "thread", 100, empty=False),
            limit=checking.number(limit, "limit", 1, PAGE_MAX),
            max_bytes=max_bytes,
        )

    def message(self, id: str) -> TopicMessage:
        """One message of a topic.

        Raises:
            MessageNotFound: it is not there.
        """
        return self._store.topics.message(checking.text(id, "id", 100))


def _is_announcement(message: TopicMessage) -> bool:
    return message.metadata is not None and "announces" in message.metadata


def place(value: str | int) -> int:
    """A place in a topic: ``start``, ``latest`` or a number, as the store takes it.

    Raises:
        InvalidArgument: it is none of these.
    """
    if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) < 20:
        value = int(value)
    if isinstance(value, str):
        if value not in PLACES:
            hint = "It is start, latest, or the number of the message to go on after."
            raise InvalidArgument(f"{ascii(value)[:80]} is not a place in a topic.", hint=hint)
        return 0 if value == "start" else LATEST
    return checking.number(value, "The place in the topic", 0, 2**62)


def _topic(value: object) -> str:
    """A topic's name or id as a caller gave it."""
    return checking.text(value, "topic", 200, empty=False)


def _small(metadata: dict[str, Any] | None) -> dict[str, Any] | None:
    size = checking.json_bytes(metadata)
    if size > METADATA_BYTES:
        raise InvalidArgument(f"A topic's metadata has {size} bytes; at most {METADATA_BYTES} are taken.")
    return metadata
