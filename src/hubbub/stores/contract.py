"""What a store must do.

Every method is one whole operation of the bus: it happens entirely, durably and once, or not
at all, and ``tests/contract`` holds each store to the sentences below. No method blocks but
for the store's own write lock, which is bounded in time (:class:`~hubbub.errors.BusBusy`).

Common to all:

* An :class:`~hubbub.model.Actor` with a session is checked first: a session that was taken
  over raises ``SESSION_SUPERSEDED``, one that ended ``SESSION_ENDED``; one that merely missed
  its beats is live again when nobody else holds the name. An actor without a session
  (an attachment) must name a registered agent, else ``NOT_REGISTERED``.
* ``key`` is an idempotency key of the acting agent. The same key with the same request gives
  the first answer again and does nothing; with another request, ``IDEMPOTENCY_MISMATCH``.
  An empty hand-out is no answer to repeat: asking again is a new request.
* Time is the store's clock. What falls due with time (leases, ttl, sessions) is due at once:
  each operation whose answer depends on it first does what is due, so that nothing waits for
  housekeeping.
* Whatever an operation changes is in the ledger in the same stroke, and the bells of
  :meth:`Store.bell` ring after it is durable.
"""

from __future__ import annotations

from types import TracebackType
from typing import Protocol, Self

from hubbub.model import (
    Actor,
    Agent,
    Delivery,
    Draft,
    Event,
    Filter,
    Handout,
    Message,
    NewSession,
    Page,
    Problem,
    Profile,
    Receipt,
    Registration,
    Sent,
    Session,
    Stakes,
    StoreInfo,
    Swept,
)

TYPE_CHECKING = False
if TYPE_CHECKING:  # a command that sends or receives does without these
    from hubbub.stores.contract_pending import PendingStore
    from hubbub.stores.contract_presence import PresenceStore, SettingsStore
    from hubbub.stores.contract_search import SearchStore
    from hubbub.stores.contract_topics import TopicStore
    from hubbub.stores.contract_work import WorkStore


class Bell(Protocol):
    """Wakes one waiter when something it waits for may have changed.

    A bell is only a hint: it may ring for nothing, and a ring may be lost. A waiter always
    looks again after taking its bell out, and again when the wait ends.
    """

    def fileno(self) -> int:
        """A descriptor that is readable when the bell rang, or -1 where there is none."""
        ...

    def wait(self, seconds: float) -> bool:
        """Block until it rings or ``seconds`` pass; True when it rang. Takes the ring off."""
        ...

    def clear(self) -> None:
        """Take off any ring, without blocking."""
        ...

    def poke(self) -> None:
        """Ring this one bell, from any thread."""
        ...

    def close(self) -> None:
        """Stop listening; a second call does nothing."""
        ...

    def __enter__(self) -> Self: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...


class AgentStore(Protocol):
    """Names, who they are, and which session holds them."""

    def register(
        self,
        profile: Profile,
        session: NewSession | None = None,
        *,
        take_over: bool = False,
    ) -> Registration:
        """Make the agent known, or update what ``profile`` gives, and open ``session`` if given.

        A name is held by one live session: another one raises ``NAME_TAKEN``, unless
        ``take_over``, which fences the older session out and returns what it had leased.
        Registering again is a safe retry by its nature, so it takes no key.
        """
        ...

    def unregister(self, name: str, *, actor: Actor | None = None, delete_mail: bool = False) -> Agent:
        """Take the name off the bus and end its session; its mail stays unless ``delete_mail``, and the
        steps and files that it holds are to be had by others.

        Registering the name again finds the kept mail. Raises ``UNKNOWN_AGENT``.
        """
        ...

    def release_name(self, name: str, why: str) -> Session | None:
        """End the session that holds ``name``, by the operator's hand; None if none was live. Its claims are
        soon to be had."""
        ...

    def get(self, name: str) -> Agent:
        """The registered agent of that name. Raises ``UNKNOWN_AGENT`` with the nearest names."""
        ...

    def all(self) -> list[Agent]:
        """All registered agents, by name."""
        ...

    def stakes(self, name: str) -> Stakes:
        """Whether it holds steps, keeps files, owes answers, and whether others keep files. All False for a
        name that nobody has."""
        ...

    def beat(self, session: str) -> Session:
        """Say that the session is alive; raises as for an actor's session. No event."""
        ...

    def end_session(
        self, session: str, why: str, *, unseen: tuple[str, ...] = (), gone: bool = False
    ) -> None:
        """End it and return what it had leased to the queue; messages named in ``unseen`` were
        handed out but never left the process, so their hand-out does not count. With ``gone`` it did not
        end by its own word: its claims are soon to be had, as those of a session that missed its beats.
        An unused ephemeral name is unregistered. Does nothing to a session that is not live.
        """
        ...

    def identify(self, session: str, client_session: str) -> None:
        """Keep the id that the client gave its own session with ``session``, to wake it by later."""
        ...

    def sessions(self) -> list[Session]:
        """The live sessions."""
        ...

    def find_client_session(self, client_session: str) -> Session | None:
        """The latest session, of any state, that a client's own session id was kept with."""
        ...


class MailStore(Protocol):
    """Messages and their deliveries; the states are those of ``docs/reference/states.md``."""

    def send(self, actor: Actor, draft: Draft, *, key: str | None = None) -> Sent:
        """Store the message and queue it for every recipient, all or none.

        A draft that answers a message settles the actor's own delivery of that message and closes
        what the actor owes; see :mod:`hubbub.stores.contract_pending`. The gate counts it for every
        recipient. Raises ``UNKNOWN_RECIPIENT`` (with the nearest names), ``NO_INBOX``,
        ``INBOX_FULL``, ``MESSAGE_TOO_LARGE`` (both by the recipient's own bounds),
        ``ROLE_FORBIDS`` when a consumer starts a conversation, ``RATE_LIMITED`` with the time to
        wait when the gate is enforced and the actor is beyond its limit for one of the recipients.
        """
        ...

    def receive(
        self,
        actor: Actor,
        wanted: Filter = Filter(),  # noqa: B008 - immutable
        *,
        limit: int = 1,
        max_bytes: int | None = None,
        lease_ms: int | None = None,
        settle: tuple[str, ...] = (),
        key: str | None = None,
    ) -> Handout:
        """Settle the deliveries named in ``settle`` as :meth:`settle` does implicitly, then
        lease up to ``limit`` queued messages: urgent, normal, low, then in order of ``seq``.

        ``max_bytes`` ends the batch before their texts would exceed it, but never before the
        first. Each hand-out adds one to the delivery's count. Raises ``ROLE_FORBIDS`` for a
        publisher.
        """
        ...

    def unread_in_all(self, agent: str) -> int:
        """How many messages of the topic of all agents this agent has not read. They wake nobody."""
        ...

    def peek(self, agent: str, wanted: Filter = Filter(), *, limit: int = 10) -> Handout:  # noqa: B008
        """What :meth:`receive` would hand out; changes nothing."""
        ...

    def settle(self, actor: Actor, ids: tuple[str, ...], *, key: str | None = None) -> tuple[str, ...]:
        """Acknowledge: the actor's deliveries of these messages are settled, all or none.

        Also settles one whose lease ran out meanwhile. Settling one again that was settled
        only implicitly is fine; else ``ALREADY_SETTLED``, ``DELIVERY_DEAD``,
        ``NOT_YOUR_MESSAGE`` or ``MESSAGE_NOT_FOUND``.
        """
        ...

    def settle_implicitly(self, actor: Actor, ids: tuple[str, ...]) -> tuple[str, ...]:
        """Settle those of the actor's deliveries that are still leased to its session; skip others."""
        ...

    def release(
        self,
        actor: Actor,
        ids: tuple[str, ...],
        *,
        delay_ms: int = 0,
        unseen: bool = False,
        key: str | None = None,
    ) -> tuple[str, ...]:
        """Give what this session has in hand back to the queue, all or none, to be handed out
        again after ``delay_ms``. ``unseen`` takes the hand-out back: it never left the process.
        Raises ``NOT_LEASED`` and as :meth:`settle`.
        """
        ...

    def message(self, id: str, *, reader: str | None = None) -> Message:
        """One message. A ``reader`` sees what it sent or was sent; None is the operator.

        Raises ``MESSAGE_NOT_FOUND`` or ``NOT_YOUR_MESSAGE``.
        """
        ...

    def delivery(self, agent: str, id: str) -> Delivery:
        """The delivery of message ``id`` to ``agent``. Raises as :meth:`message`."""
        ...

    def whereabouts(self, id: str, *, reader: str | None = None) -> Receipt:
        """Where the message is for each of its recipients. Raises as :meth:`message`."""
        ...

    def thread(self, thread: str, *, reader: str | None = None, after: int = 0, limit: int = 50) -> Page:
        """The thread's messages that ``reader`` may see, after ``seq``, oldest first.

        Raises ``THREAD_NOT_FOUND`` when the reader may see none at all.
        """
        ...

    def dead(self, *, agent: str | None = None, after: int = 0, limit: int = 50) -> list[Delivery]:
        """Dead letters with their reasons, of one agent or of all, by ``seq``: ``limit`` of them, and
        the others of the last message, so that ``after`` its ``seq`` misses none."""
        ...

    def retry(self, ids: tuple[str, ...], *, agent: str | None = None, by: Actor | None = None) -> int:
        """Queue dead letters again with the count reset and their reasons kept; how many.

        Raises ``NOT_DEAD`` or ``MESSAGE_NOT_FOUND``, all or none; ``INBOX_FULL``.
        """
        ...

    def purge(self, ids: tuple[str, ...], *, agent: str | None = None, by: Actor | None = None) -> int:
        """Remove dead letters for good; how many. The ledger keeps that they were. As :meth:`retry`."""
        ...


class LedgerStore(Protocol):
    """The append-only record of every transition."""

    def events(
        self,
        *,
        after: int = 0,
        limit: int = 100,
        newest: bool = False,
        agent: str | None = None,
        message: str | None = None,
        topic: str | None = None,
        project: str | None = None,
        step: str | None = None,
        kinds: tuple[str, ...] = (),
        since: int | None = None,
    ) -> list[Event]:
        """Events after ``seq`` ``after`` that match, oldest first: the first ``limit`` of them, or
        the last with ``newest``. ``agent`` matches the actor, the agent concerned, and each
        recipient of mail that was sent to several (such an event names none),
        ``message`` a mail or a topic's message by its id, ``topic``, ``project`` and ``step`` what they
        are named by."""
        ...


class Store(Protocol):
    """One bus, opened. Safe to use from several threads at once."""

    @property
    def agents(self) -> AgentStore:
        """Agents and sessions."""
        ...

    @property
    def mail(self) -> MailStore:
        """Messages and deliveries."""
        ...

    @property
    def topics(self) -> TopicStore:
        """Topics and how far their members have read."""
        ...

    @property
    def work(self) -> WorkStore:
        """Projects, steps, claims and reservations."""
        ...

    @property
    def pending(self) -> PendingStore:
        """Answers that are owed, and calls that wait for one."""
        ...

    @property
    def presence(self) -> PresenceStore:
        """Who stands by an agent; pings; wakes."""
        ...

    @property
    def settings(self) -> SettingsStore:
        """What is set on the bus itself."""
        ...

    @property
    def search(self) -> SearchStore:
        """Search."""
        ...

    @property
    def ledger(self) -> LedgerStore:
        """The ledger."""
        ...

    def now(self) -> int:
        """The store's time, in milliseconds since 1970."""
        ...

    def bell(self, *keys: str) -> Bell:
        """A bell that rings for any of ``keys``: ``inbox/NAME`` (something to receive, or the
        session lost its name), ``room/NAME`` (that inbox got room), ``topic/ID`` (something was
        posted, or its state changed; an announcement does not ring), ``work`` and ``work/ID`` (of a
        project: something may have become claimable), ``agents`` (who is there
        changed), ``events`` (the ledger grew), ``answer/ID`` (a call waits for the answer to that
        message: it is there or was waived), ``ping/NAME`` (that agent is asked for a sign of life),
        ``pong/NUMBER`` (that ping was answered)."""
        ...

    def sweep(self, holder: str) -> Swept:
        """One round of housekeeping, under a lease in the store: does all that fell due."""
        ...

    def info(self) -> StoreInfo:
        """Where and how large the store is."""
        ...

    def check(self) -> list[Problem]:
        """Test that the stored data is whole and agrees with itself; empty when all is well."""
        ...

    def backup(self, path: str) -> int:
        """Write a consistent copy to ``path`` while the bus is in use; its size in bytes.

        Raises ``BACKUP_FAILED``; never overwrites a file.
        """
        ...

    def close(self) -> None:
        """Close it; using it afterwards is an error."""
        ...
