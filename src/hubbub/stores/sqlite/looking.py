"""Looking at mail without changing it: peek, receipts, threads, dead letters."""

from __future__ import annotations

import apsw

from hubbub.errors import MessageNotFound, NotYourMessage, ThreadNotFound
from hubbub.model import Delivery, Filter, Handout, Message, Page, Receipt, Whereabouts
from hubbub.names import message_id, parse_message_id
from hubbub.stores.sqlite.connection import Row
from hubbub.stores.sqlite.core import Core, one, unknown_agent
from hubbub.stores.sqlite.due import do_due_of, expire_messages, expire_sessions, take_back_due
from hubbub.stores.sqlite.receiving import hand_out_values
from hubbub.stores.sqlite.rows import delivery_of, load, message_of, reasons_of
from hubbub.stores.sqlite.statements import statements

_SQL = statements("mail.sql")
_AGENTS = statements("agents.sql")
_LAST_SEQ = 2**63 - 1


def catch_up(core: Core, agent: str) -> None:
    """Do what fell due in an inbox, so that a look at it shows the truth."""
    now = core.clock.now()
    with core.read() as db:
        row = one(db, _SQL["anything_due_of"], {"agent": agent, "now": now})
    if row is not None and row[0]:
        with core.write() as tx:
            do_due_of(tx, agent, now)


def catch_up_all(core: Core) -> None:
    """Do what fell due in any inbox or session."""
    now = core.clock.now()
    with core.read() as db:
        row = one(db, _SQL["anything_due"], {"now": now, "before": 0})
    if row is not None and row[0]:
        with core.write() as tx:
            take_back_due(tx, now)
            expire_messages(tx, now)
            expire_sessions(tx, now)


def unread_in_all(core: Core, agent: str) -> int:
    """See :meth:`hubbub.stores.contract.MailStore.unread_in_all`."""
    with core.read() as db:
        row = one(db, _SQL["unread_in_all"], {"agent": agent, "now": core.clock.now()})
    return 0 if row is None else int(row[0])


def peek(core: Core, agent: str, wanted: Filter, limit: int) -> Handout:
    """See :meth:`hubbub.stores.contract.MailStore.peek`."""
    catch_up(core, agent)
    now = core.clock.now()
    with core.read() as db:
        known = one(db, _AGENTS["agent_row"], {"name": agent})
        if known is None:
            raise unknown_agent(db, agent)
        rows = list(db.execute(_SQL["hand_out"], hand_out_values(agent, wanted, now, limit)))
        due = one(db, _SQL["next_due"], {"agent": agent, "now": now})
    waiting = tuple(delivery_of(row, agent, "queued") for row in rows)
    return Handout(waiting, known[6] - len(waiting), due[0] if due else None)


def readable(db: apsw.Connection, id_: str, reader: str | None) -> Row:
    """The row of message ``id_``, if ``reader`` may see it."""
    parsed = parse_message_id(id_)
    row = one(db, _SQL["message_row"], {"seq": parsed[0]}) if parsed else None
    if parsed is None or row is None or row[1] != parsed[1]:
        raise MessageNotFound(f"There is no message {ascii(id_)[:80]} on this bus.")
    if reader is not None and row[2] != reader and reader not in load(row[3]):
        raise NotYourMessage(
            f"{id_} was neither sent by {reader} nor to it.",
            hint="Only its sender and its recipients can read a message.",
        )
    return row


def message(core: Core, id_: str, reader: str | None) -> Message:
    """See :meth:`hubbub.stores.contract.MailStore.message`."""
    with core.read() as db:
        return message_of(readable(db, id_, reader))


def delivery(core: Core, agent: str, id_: str) -> Delivery:
    """See :meth:`hubbub.stores.contract.MailStore.delivery`."""
    catch_up(core, agent)
    with core.read() as db:
        row = readable(db, id_, None)
        found = one(db, _SQL["delivery_row"], {"agent": agent, "message": row[0]})
        if found is None:
            raise NotYourMessage(f"{id_} is not in the mail of {agent}.", hint="")
    return delivery_of((*row, found[1], found[6]), agent, found[0], found[4])


def whereabouts(core: Core, id_: str, reader: str | None) -> Receipt:
    """See :meth:`hubbub.stores.contract.MailStore.whereabouts`."""
    with core.read() as db:
        found = message_of(readable(db, id_, reader))
    for name in found.recipients:
        catch_up(core, name)
    with core.read() as db:
        places = [
            _place(db, found.seq, row)
            for row in list(db.execute(_SQL["whereabouts"], {"message": found.seq}))
        ]
    return Receipt(found, tuple(places))


def _place(db: apsw.Connection, seq: int, row: Row) -> Whereabouts:
    agent, state, since, count, session, lease_until, settled_by, reasons, _, reply_seq, reply_tag = row
    if state is None:
        purged = one(db, _SQL["was_purged"], {"message": seq, "agent": agent})
        state = "purged" if purged is not None and purged[0] else "unknown"
    return Whereabouts(
        agent=agent,
        state=state,
        since=since,
        delivery_count=count or 0,
        session=session if state == "leased" else None,
        lease_until=lease_until,
        settled_by=settled_by,
        answered_by=None if reply_seq is None else message_id(reply_seq, reply_tag),
        reasons=reasons_of(reasons),
    )


def thread(core: Core, name: str, reader: str | None, after: int, limit: int) -> Page:
    """See :meth:`hubbub.stores.contract.MailStore.thread`."""
    with core.read() as db:
        parsed = parse_message_id(name)
        root = None
        if parsed is not None:
            row = one(db, _SQL["message_row"], {"seq": parsed[0]})
            if row is not None and row[1] == parsed[1]:
                root = row[0]
                if row[4] is not None:
                    name, root = row[4], _root_of(row[4])
        values = {"thread": name, "root": root, "reader": reader, "after": after, "limit": limit + 1}
        rows = list(db.execute(_SQL["thread_rows"], values))
        if not rows and one(db, _SQL["thread_rows"], {**values, "after": 0, "limit": 1}) is None:
            raise ThreadNotFound(
                f"There is no thread {ascii(name)[:80]}"
                + (f" with a message of {reader}." if reader else "."),
                hint="Name a thread, or any message in it, as send and receive show them.",
            )
    messages = tuple(message_of(row) for row in rows[:limit])
    return Page(messages, messages[-1].seq if len(rows) > limit else None)


def _root_of(thread_name: str) -> int | None:
    parsed = parse_message_id(thread_name)
    return parsed[0] if parsed else None


def dead(core: Core, agent: str | None, after: int, limit: int) -> list[Delivery]:
    """See :meth:`hubbub.stores.contract.MailStore.dead`."""
    catch_up_all(core)
    with core.read() as db:
        values = {"agent": agent, "after": after, "behind": None, "until": _LAST_SEQ, "limit": limit}
        rows = list(db.execute(_SQL["dead_rows"], values))
        if len(rows) == limit:
            # No page is cut inside a message, so that its seq alone says where the next one begins.
            seq, behind = rows[-1][0], rows[-1][16]
            values.update(after=seq, behind=behind, until=seq, limit=-1)
            rows += db.execute(_SQL["dead_rows"], values)
    return [delivery_of(row, row[16], "dead") for row in rows]
