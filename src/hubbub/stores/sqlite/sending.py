"""Sending: one message into one or many inboxes, all or none."""

from __future__ import annotations

from typing import Any

from hubbub.errors import (
    AlreadySettled,
    InboxFull,
    InvalidArgument,
    MessageNotFound,
    MessageTooLarge,
    NoInbox,
    NotYourMessage,
    RateLimited,
    RoleForbids,
    UnknownRecipient,
)
from hubbub.model import Actor, Draft, Sent
from hubbub.names import EVERYONE, PRIORITIES, message_id, new_tag
from hubbub.stores.sqlite.actors import ActorState, admit, refuse_publisher
from hubbub.stores.sqlite.connection import Row, Write
from hubbub.stores.sqlite.core import Core, add_event, dump, near_hint, once, one, seq_of
from hubbub.stores.sqlite.debts import Reply, close_debt, is_awaited, look_at_reply, open_debts, wants_answer
from hubbub.stores.sqlite.due import do_due_of
from hubbub.stores.sqlite.gate import Gate, note_refusal
from hubbub.stores.sqlite.statements import statements

_SQL = statements("mail.sql")
_AGENTS = statements("agents.sql")
_PENDING = statements("pending.sql")


def send(core: Core, actor: Actor, draft: Draft, key: str | None) -> Sent:
    """See :meth:`hubbub.stores.contract.MailStore.send`."""
    now = core.clock.now()
    # Whatever needs no look at the bus is done before the turn to write is taken.
    values = _message_values(actor, draft, now)
    try:
        with core.write() as tx:
            state = admit(tx, actor, now)
            if state.role == "consumer" and draft.in_reply_to is None:
                raise RoleForbids(
                    f"{actor.agent} is a consumer: it may answer, not start a conversation.",
                    hint="Answer a message it was sent, or register it with the role both.",
                )
            turn = core.clock.now()
            answer, repeated = once(
                tx,
                actor.agent,
                key,
                "send",
                lambda: draft,
                now,
                lambda: _store(tx, actor, state, draft, values, now, turn),
            )
            sent = Sent(**{**answer, "recipients": tuple(answer["recipients"])})
    except RateLimited as refusal:
        note_refusal(core, actor, refusal)
        raise
    return sent._replace(repeated=True) if repeated else sent


def _message_values(actor: Actor, draft: Draft, now: int) -> dict[str, Any]:
    metadata = None if draft.metadata is None else dump(draft.metadata)
    size = len(draft.subject.encode()) + len(draft.body.encode()) + len((metadata or "").encode())
    return {
        "tag": new_tag(),
        "sender": actor.agent,
        "recipients": dump(draft.recipients),
        "thread": draft.thread,
        "in_reply_to": None,
        "kind": draft.kind,
        "priority": PRIORITIES.index(draft.priority),
        "subject": draft.subject,
        "body": draft.body,
        "metadata": metadata,
        "reply_due": None if draft.reply_within_ms is None else now + draft.reply_within_ms,
        "now": now,
        "bytes": size,
    }


def _store(
    tx: Write, actor: Actor, state: ActorState, draft: Draft, values: dict[str, Any], now: int, turn: int
) -> dict[str, Any]:
    db = tx.db
    recipients = draft.recipients
    if recipients == (EVERYONE,):
        recipients = tuple(row[0] for row in db.execute(_SQL["everyone"], {"sender": actor.agent}))
        if not recipients:
            raise UnknownRecipient(
                "Nobody else with an inbox is registered on this bus.",
                hint="Wait until another agent has registered.",
            )
        values["recipients"] = dump(recipients)
    if draft.wait_ms is not None:
        refuse_publisher(actor, state.role)
    reply: Reply | None = None
    if draft.in_reply_to is not None:
        answered = _own_delivery(tx, actor.agent, draft.in_reply_to)
        values["in_reply_to"] = answered
        reply = look_at_reply(tx, actor.agent, answered, draft.kind, recipients, now)
    gate: Gate | None = None
    for name in recipients:
        has_room = reply is not None and name == reply.has_room
        row = _check_recipient(tx, actor.agent, name, values["bytes"], now, has_room=has_room)
        gate = gate or Gate(db, tx.policy, actor.agent, turn, is_set=bool(row[10]))
        gate.pass_through(tx, actor, name, row=row[5:10])
    db.execute(_SQL["add_message"], values)
    seq = db.last_insert_rowid()
    expires = None if draft.ttl_ms is None else now + draft.ttl_ms
    delivery = {"message": seq, "priority": values["priority"], "now": now, "expires_at": expires}
    for name in recipients:
        if reply is not None and name == reply.waits:
            db.execute(_PENDING["add_kept_delivery"], {**delivery, "agent": name, "not_before": reply.until})
            db.execute(_PENDING["keep_answer_for"], {"message": reply.to, "answer": seq})
            tx.ring(f"answer/{draft.in_reply_to}")
            continue
        db.execute(_SQL["add_delivery"], {**delivery, "agent": name})
        tx.ring(f"inbox/{name}")
    if wants_answer(draft) and state.role != "publisher":
        open_debts(tx, tx.policy, actor.agent, recipients, seq, values["reply_due"])
    if draft.wait_ms is not None:
        wait = {"message": seq, "asker": actor.agent, "session": actor.session, "until": now + draft.wait_ms}
        db.execute(_PENDING["open_wait"], wait)
    if state.ephemeral:
        db.execute(_AGENTS["agent_takes_part"], {"name": actor.agent})
    add_event(
        db, now, "message_sent", actor, message=seq, agent=recipients[0] if len(recipients) == 1 else None
    )
    settled = None
    id_ = message_id(seq, values["tag"])
    announced = _announce(tx, actor, draft, id_, recipients, now)
    if reply is not None and reply.settles and _settle_answered(tx, actor, reply.to, now):
        settled = draft.in_reply_to
    debt = None if reply is None else close_debt(tx, actor, reply, seq, draft.kind, now)
    return {
        "id": id_,
        "seq": seq,
        "thread": draft.thread or id_,
        "recipients": list(recipients),
        "created_at": now,
        "settled": settled,
        "announced": announced,
        "debt": debt,
    }


def _announce(
    tx: Write, actor: Actor, draft: Draft, id_: str, recipients: tuple[str, ...], now: int
) -> str | None:
    if not draft.announce:
        return None
    from hubbub.stores.sqlite.announcing import announce  # few sends need what it needs

    return announce(tx, actor, draft, id_, recipients, now)


def _check_recipient(tx: Write, sender: str, name: str, size: int, now: int, *, has_room: bool) -> Row:
    """The row of a recipient that takes the message; with ``has_room`` however full its inbox is."""
    row = one(tx.db, _PENDING["recipient_at_gate"], {"name": name, "sender": sender})
    if row is None or row[0] is not None:
        raise UnknownRecipient(
            f"No agent is called {name}; nothing was sent.", hint=near_hint(tx.db, name), recipient=name
        )
    _, role, unsettled, limit, max_bytes, *_ = row
    if unsettled >= limit and not has_room:
        # Room that fell free with time counts, although nobody has swept yet.
        do_due_of(tx, name, now)
        unsettled = (one(tx.db, _SQL["recipient_row"], {"name": name}) or row)[2]
    if role == "publisher":
        raise NoInbox(f"{name} only publishes and has no inbox; nothing was sent.", recipient=name)
    if size > max_bytes:
        raise MessageTooLarge(
            f"The message has {size} bytes; {name} takes up to {max_bytes}.", recipient=name, limit=max_bytes
        )
    if unsettled >= limit and not has_room:
        raise InboxFull(
            f"The inbox of {name} is full ({unsettled} unsettled messages); nothing was sent.",
            hint="Try again later, or ask to wait for room.",
            recipient=name,
            limit=limit,
        )
    return row


def _own_delivery(tx: Write, agent: str, id_: str) -> int:
    """The ``seq`` of message ``id_``, which must have been delivered to ``agent``."""
    found = find_message(tx, id_)
    if one(tx.db, _SQL["delivery_row"], {"agent": agent, "message": found}) is None:
        raise NotYourMessage(
            f"{id_} was not sent to {agent}.",
            hint="Answer messages that you received; to follow up on your own, send one with its thread.",
        )
    return found


def find_message(tx: Write, id_: str) -> int:
    """The ``seq`` of message ``id_``. Raises MessageNotFound."""
    seq = seq_of(tx.db, id_)
    if seq is None:
        raise MessageNotFound(f"There is no message {ascii(id_)[:80]} on this bus.")
    return seq


def _settle_answered(tx: Write, actor: Actor, message: int, now: int) -> bool:
    """An answer settles the delivery that it answers, whatever state that is in, unless it is kept for a
    call that waits for it: that call is given it, and settles it."""
    where = {"agent": actor.agent, "message": message}
    row = one(tx.db, _SQL["delivery_row"], where)
    if row is None or row[0] == "settled":
        return False
    if row[0] == "queued" and is_awaited(tx, message, now):
        return False
    settle_one(tx, actor, message, now, "reply", row[0])
    return True


def settle_one(tx: Write, actor: Actor, message: int, now: int, how: str, before: str) -> None:
    """queued, leased or dead -> settled, with its event."""
    if before == "settled":
        raise AlreadySettled("This delivery was settled before.")
    if how not in ("acknowledge", "reply", "implicit"):
        raise InvalidArgument(f"{how} does not settle.")
    tx.db.execute(_SQL["settle"], {"agent": actor.agent, "message": message, "how": how, "now": now})
    detail = {"by": how} if before == "leased" else {"by": how, "from": before}
    add_event(tx.db, now, "message_settled", actor, message=message, agent=actor.agent, detail=detail)
    tx.ring(f"room/{actor.agent}")
