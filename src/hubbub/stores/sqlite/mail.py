"""Mail in SQLite. See :class:`hubbub.stores.contract.MailStore`."""

from __future__ import annotations

from hubbub.errors import InboxFull, NotDead
from hubbub.model import Actor, Delivery, Draft, Filter, Handout, Message, Page, Receipt, Sent
from hubbub.stores.sqlite import looking, receiving, sending
from hubbub.stores.sqlite.actors import admit
from hubbub.stores.sqlite.connection import Write
from hubbub.stores.sqlite.core import Core, add_event, one
from hubbub.stores.sqlite.due import expire_messages, take_back_due
from hubbub.stores.sqlite.statements import statements

_SQL = statements("mail.sql")
_ALL = Filter()


class SqliteMail:
    """The facet of messages and deliveries."""

    def __init__(self, core: Core) -> None:
        self._core = core

    def send(self, actor: Actor, draft: Draft, *, key: str | None = None) -> Sent:
        """Store and queue a message."""
        return sending.send(self._core, actor, draft, key)

    def receive(
        self,
        actor: Actor,
        wanted: Filter = _ALL,
        *,
        limit: int = 1,
        max_bytes: int | None = None,
        lease_ms: int | None = None,
        settle: tuple[str, ...] = (),
        key: str | None = None,
    ) -> Handout:
        """Lease queued messages."""
        return receiving.receive(self._core, actor, wanted, limit, max_bytes, lease_ms, settle, key)

    def peek(self, agent: str, wanted: Filter = _ALL, *, limit: int = 10) -> Handout:
        """Look at an inbox."""
        return looking.peek(self._core, agent, wanted, limit)

    def unread_in_all(self, agent: str) -> int:
        """What is unread of what is told to all."""
        return looking.unread_in_all(self._core, agent)

    def settle(self, actor: Actor, ids: tuple[str, ...], *, key: str | None = None) -> tuple[str, ...]:
        """Acknowledge."""
        return receiving.settle(self._core, actor, ids, key)

    def settle_implicitly(self, actor: Actor, ids: tuple[str, ...]) -> tuple[str, ...]:
        """Settle what the session evidently has had."""
        return receiving.settle_implicitly(self._core, actor, ids)

    def release(
        self,
        actor: Actor,
        ids: tuple[str, ...],
        *,
        delay_ms: int = 0,
        unseen: bool = False,
        key: str | None = None,
    ) -> tuple[str, ...]:
        """Give back."""
        return receiving.release(self._core, actor, ids, delay_ms, unseen, key)

    def message(self, id: str, *, reader: str | None = None) -> Message:
        """One message."""
        return looking.message(self._core, id, reader)

    def delivery(self, agent: str, id: str) -> Delivery:
        """One delivery."""
        return looking.delivery(self._core, agent, id)

    def whereabouts(self, id: str, *, reader: str | None = None) -> Receipt:
        """A receipt."""
        return looking.whereabouts(self._core, id, reader)

    def thread(self, thread: str, *, reader: str | None = None, after: int = 0, limit: int = 50) -> Page:
        """Part of a thread."""
        return looking.thread(self._core, thread, reader, after, limit)

    def dead(self, *, agent: str | None = None, after: int = 0, limit: int = 50) -> list[Delivery]:
        """Dead letters."""
        return looking.dead(self._core, agent, after, limit)

    def retry(self, ids: tuple[str, ...], *, agent: str | None = None, by: Actor | None = None) -> int:
        """dead -> queued."""
        now = self._core.clock.now()
        with self._core.write() as tx:
            found = self._dead_deliveries(tx, ids, agent, by, now)
            for message, owner in found:
                self._refuse_full(tx, owner)
                tx.db.execute(_SQL["revive"], {"agent": owner, "message": message, "now": now})
                add_event(tx.db, now, "message_retried", by, message=message, agent=owner)
                tx.ring(f"inbox/{owner}")
        return len(found)

    def purge(self, ids: tuple[str, ...], *, agent: str | None = None, by: Actor | None = None) -> int:
        """dead -> gone."""
        from hubbub.stores.sqlite.waiving import question_removed  # seldom needed

        now = self._core.clock.now()
        with self._core.write() as tx:
            found = self._dead_deliveries(tx, ids, agent, by, now)
            blanked: list[int] = []
            for message, owner in found:
                tx.db.execute(_SQL["remove_delivery"], {"agent": owner, "message": message})
                tx.db.execute(_SQL["blank_message"], {"message": message, "now": now})
                if tx.db.changes():
                    blanked.append(message)
                question_removed(tx, message, owner, by, now)
                add_event(
                    tx.db, now, "message_purged", by, message=message, agent=owner, detail={"from": "dead"}
                )
            if blanked:
                from hubbub.stores.sqlite.meaning import forget  # seldom needed

                forget(tx.db, "mail", blanked)
        return len(found)

    @staticmethod
    def _dead_deliveries(
        tx: Write, ids: tuple[str, ...], agent: str | None, by: Actor | None, now: int
    ) -> list[tuple[int, str]]:
        if by is not None:
            admit(tx, by, now)
        take_back_due(tx, now)
        expire_messages(tx, now)
        found: list[tuple[int, str]] = []
        for id_ in ids:
            seq = sending.find_message(tx, id_)
            owners = [
                row[0] for row in tx.db.execute(_SQL["dead_of_message"], {"message": seq, "agent": agent})
            ]
            if not owners:
                where = f" in the mail of {agent}" if agent else ""
                raise NotDead(
                    f"{id_} is no dead letter{where}.", hint="List them with: hubbub dead", message_id=id_
                )
            found += [(seq, owner) for owner in owners]
        return found

    @staticmethod
    def _refuse_full(tx: Write, owner: str) -> None:
        row = one(tx.db, _SQL["recipient_row"], {"name": owner})
        if row is not None and row[2] >= row[3]:
            raise InboxFull(
                f"The inbox of {owner} is full ({row[2]} unsettled messages); nothing was retried.",
                hint="Let it read its mail first.",
                recipient=owner,
                limit=row[3],
            )
