"""The records that the parts hand to each other.

All are immutable. Times are milliseconds since 1970 UTC, lengths of time are milliseconds
where the name says ``_ms``, sizes are bytes of UTF-8.
"""

from __future__ import annotations

from typing import Any, NamedTuple

SESSION_TTL_MS = 30_000
"""A session that has not beaten for this long no longer counts as live."""

BEAT_INTERVAL_MS = 10_000
"""How often the process that serves an agent beats: three beats fit into a session's time."""

LEASE_MS = 300_000
"""How long a hand-out is good for, unless the receiver asks for another time."""

MAX_DELIVERIES = 5
"""A message handed out this often without being settled is parked as dead."""

INBOX_LIMIT = 1000
"""How many unsettled messages an inbox takes, unless its agent sets another number."""

MAX_MESSAGE_BYTES = 1 << 20
"""How large a message an agent takes, unless it sets another size."""

MESSAGE_BYTES_CEILING = 4 << 20
"""The largest size an agent can set: what fits, escaped, into one line of the MCP transport."""

IDEMPOTENCY_MS = 7 * 86_400_000
"""How long an idempotency key is remembered."""


class Actor(NamedTuple):
    """Who does something: the agent, and the session through which it acts.

    ``session`` is the id of a session that holds the name, or None for an attachment: a short
    command that acts for the agent beside the session that holds its name.
    """

    agent: str
    session: str | None = None


class Profile(NamedTuple):
    """What an agent says of itself. None leaves a known agent's value as it is."""

    name: str
    role: str | None = None
    description: str | None = None
    inbox_limit: int | None = None
    max_message_bytes: int | None = None
    ephemeral: bool = False
    """The name was made up by a server: it is given back when its session ends unused."""


class NewSession(NamedTuple):
    """A session about to be opened."""

    id: str
    client: str = ""
    client_session: str = ""
    process: str = ""
    folder: str = ""


class Session(NamedTuple):
    """One running process that acts for an agent and holds its name."""

    id: str
    agent: str
    state: str
    """``live``, ``expired`` (no beats), ``superseded`` or ``ended``."""
    client: str
    client_session: str
    process: str
    folder: str
    started_at: int
    beat_at: int
    expires_at: int
    ended_at: int | None = None
    ended_why: str | None = None


class Agent(NamedTuple):
    """A name on the bus."""

    name: str
    role: str
    description: str
    inbox_limit: int
    max_message_bytes: int
    registered_at: int
    queued: int
    leased: int
    dead: int
    session: Session | None
    """The live session that holds the name, if any: then the agent is online."""
    last_seen_at: int | None
    ephemeral: bool = False
    """The name was made up by a server, and has neither sent nor been sent anything yet."""


class Registration(NamedTuple):
    """What registering led to."""

    agent: Agent
    created: bool
    superseded: Session | None
    """The session that was fenced out by a take-over."""


class Draft(NamedTuple):
    """A message about to be sent. Its sender comes from the actor."""

    recipients: tuple[str, ...]
    """Names; ``("*",)`` is every registered agent with an inbox, but the sender."""
    body: str
    subject: str = ""
    kind: str = "message"
    priority: str = "normal"
    metadata: dict[str, Any] | None = None
    thread: str | None = None
    in_reply_to: str | None = None
    reply_within_ms: int | None = None
    announce: bool = False
    """Put a copy into ``#all``, for everyone to know of; it wakes nobody."""
    ttl_ms: int | None = None
    """The message is dead (``expired``) when nobody took it for this long."""
    wait_ms: int | None = None
    """The caller waits for the answer: it is kept for it, for this long at first."""


class Message(NamedTuple):
    """What was sent. Immutable but for a purge, which blanks its text."""

    id: str
    seq: int
    sender: str
    recipients: tuple[str, ...]
    thread: str
    in_reply_to: str | None
    kind: str
    priority: str
    subject: str
    body: str
    metadata: dict[str, Any] | None
    reply_due: int | None
    created_at: int


class Sent(NamedTuple):
    """The answer to a send."""

    id: str
    seq: int
    thread: str
    recipients: tuple[str, ...]
    created_at: int
    repeated: bool = False
    """The idempotency key was known: this is the first answer again."""
    settled: str | None = None
    """The message whose delivery this reply settled."""
    announced: str | None = None
    """The id of its copy in ``#all``."""
    debt: str | None = None
    """How it stands, after this reply, with the answer that was owed: ``answered``, ``declined``, or
    ``waived`` when the asker had waived it before. None where none was owed."""


class Delivery(NamedTuple):
    """One message in one agent's inbox."""

    message: Message
    agent: str
    state: str
    """``queued``, ``leased``, ``settled`` or ``dead``."""
    delivery_count: int
    """How often it was handed out."""
    lease_until: int | None = None
    reasons: tuple[str, ...] = ()
    """Why hand-outs failed, oldest first; for a dead letter the last one is the cause."""

    @property
    def redelivered(self) -> bool:
        """True when an earlier hand-out was not settled: the work may have been done already."""
        return self.delivery_count > 1


class Filter(NamedTuple):
    """Which waiting messages to take. None takes all."""

    sender: str | None = None
    kind: str | None = None
    priority: str | None = None
    thread: str | None = None


class Handout(NamedTuple):
    """The answer to a receive or a peek."""

    deliveries: tuple[Delivery, ...]
    remaining: int
    """How many more are queued, filtered out ones included."""
    next_due_at: int | None = None
    """When a message that is leased or delayed now can next be had, if nothing else happens."""


class Whereabouts(NamedTuple):
    """Where a message is for one of its recipients."""

    agent: str
    state: str
    """A delivery state, ``purged``, or ``unknown``."""
    since: int | None
    delivery_count: int
    session: str | None
    """Which session has it, while leased."""
    lease_until: int | None
    settled_by: str | None
    """``acknowledge``, ``reply`` or ``implicit``, once settled."""
    answered_by: str | None
    """The id of this recipient's reply."""
    reasons: tuple[str, ...]


class Receipt(NamedTuple):
    """Where a message is."""

    message: Message
    recipients: tuple[Whereabouts, ...]


class Event(NamedTuple):
    """One line of the ledger."""

    seq: int
    at: int
    event: str
    actor: str | None
    session: str | None
    message: str | None
    agent: str | None
    """Whose inbox or registration it concerns."""
    detail: dict[str, Any] | None
    topic: str | None = None
    """The id of the topic that it concerns; ``message`` is then one of the topic's."""
    project: str | None = None
    """The id of the project that it concerns."""
    step: str | None = None
    """The id of the step."""
    attempt: int | None = None
    """Which attempt at the step."""


EVENTS = (
    "agent_registered",
    "agent_unregistered",
    "session_opened",
    "session_superseded",
    "session_ended",
    "session_expired",
    "name_released",
    "message_sent",
    "message_received",
    "message_settled",
    "message_released",
    "lease_expired",
    "message_dead",
    "message_expired",
    "message_retried",
    "message_purged",
    "topic_created",
    "topic_joined",
    "topic_left",
    "topic_posted",
    "topic_read",
    "topic_confirmed",
    "topic_returned",
    "cursor_reset",
    "topic_closed",
    "topic_reopened",
    "topic_renamed",
    "topic_deleted",
    "topic_imported",
    "project_created",
    "project_changed",
    "project_completed",
    "step_added",
    "step_changed",
    "step_claimed",
    "step_started",
    "step_completed",
    "step_merged",
    "step_failed",
    "step_parked",
    "step_released",
    "step_retried",
    "step_cancelled",
    "claim_adopted",
    "claim_expired",
    "claim_recovered",
    "answer_waived",
    "answer_declined",
    "reminder_sent",
    "answer_escalated",
    "gate_refused",
    "gate_exceeded",
    "agent_woken",
    "wake_failed",
    "setting_changed",
    "path_reserved",
    "path_renewed",
    "path_released",
    "resource_limited",
)
"""The events of the ledger."""


class Swept(NamedTuple):
    """What one round of housekeeping did."""

    ran: bool
    """False when another process holds the housekeeping lease."""
    leases_expired: int = 0
    messages_expired: int = 0
    sessions_expired: int = 0
    keys_forgotten: int = 0
    topic_leases_expired: int = 0
    posts_removed: int = 0
    """Messages of deleted topics that were erased."""
    indexed: int = 0
    """Messages that search finds from now on."""
    claims_expired: int = 0
    steps_told: int = 0
    """Posts about steps to their projects' topics."""
    reminders: int = 0
    """Reminders of answers that are owed."""
    escalations: int = 0


class Page(NamedTuple):
    """Part of a list of messages, oldest first."""

    messages: tuple[Message, ...]
    next_seq: int | None
    """Ask for those after this ``seq`` to go on; None at the end."""


class Stakes(NamedTuple):
    """Whether an agent has anything to lose or to keep clear of, for what must be quick to know that there is
    nothing."""

    steps: bool
    """It holds steps."""
    files: bool
    """It keeps files."""
    answers: bool
    """It owes answers."""
    kept_by_others: bool
    """Others keep files, or hold steps that name some."""


class StoreInfo(NamedTuple):
    """What a store says of itself."""

    url: str
    store: str
    """``sqlite``, ``redis`` or ``maildir``."""
    format: int
    """The version of the stored format."""
    engine: str
    """The engine below and its version."""
    bytes: int
    messages: int
    events: int
    topics: int = 0
    topic_messages: int = 0


class Problem(NamedTuple):
    """Something that a check found."""

    what: str
    severity: str
    """``error``: data is damaged or at risk; ``warning``: worth a look."""
    fix: str
