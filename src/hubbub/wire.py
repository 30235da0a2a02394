"""Records as JSON objects: the one form that every face shows.

Keys are left out where they say nothing, because a model pays for each. Times are ISO 8601 UTC.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from hubbub.clock import to_iso
from hubbub.model import Agent, Delivery, Event, Handout, Message, Receipt, Sent, Session, Whereabouts

if TYPE_CHECKING:
    from hubbub.model_search import Hit
    from hubbub.model_topics import Membership, Posted, Synced, Topic, TopicMessage


def _lean(values: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in values.items() if value is not None and value != "" and value != ()}


def _iso(milliseconds: int | None) -> str | None:
    return None if milliseconds is None else to_iso(milliseconds)


def message_dict(message: Message) -> dict[str, Any]:
    """A message. ``body`` is always there."""
    shown = _lean(
        {
            "id": message.id,
            "from": message.sender,
            "to": list(message.recipients),
            "kind": message.kind,
            "priority": message.priority if message.priority != "normal" else None,
            "subject": message.subject,
            "thread": message.thread if message.thread != message.id else None,
            "in_reply_to": message.in_reply_to,
            "reply_due": _iso(message.reply_due),
            "sent_at": to_iso(message.created_at),
            "metadata": message.metadata,
        }
    )
    shown["body"] = message.body
    return shown


def delivery_dict(delivery: Delivery) -> dict[str, Any]:
    """A delivery: its message, and what befell it in this inbox."""
    shown = message_dict(delivery.message)
    if delivery.delivery_count:
        shown["delivery_count"] = delivery.delivery_count
    if delivery.redelivered:
        shown["redelivered"] = True
    if delivery.lease_until is not None:
        shown["lease_until"] = to_iso(delivery.lease_until)
    if delivery.reasons:
        shown["reasons"] = list(delivery.reasons)
    return shown


def handout_dict(handout: Handout) -> dict[str, Any]:
    """The answer to a receive or a peek."""
    return {
        "messages": [delivery_dict(delivery) for delivery in handout.deliveries],
        "remaining": handout.remaining,
    }


def sent_dict(sent: Sent) -> dict[str, Any]:
    """The answer to a send."""
    shown = _lean(
        {
            "id": sent.id,
            "to": list(sent.recipients),
            "thread": sent.thread if sent.thread != sent.id else None,
            "sent_at": to_iso(sent.created_at),
            "settled": sent.settled,
            "announced": sent.announced,
            "debt": sent.debt,
        }
    )
    if sent.repeated:
        shown["repeated"] = True
    return shown


def session_dict(session: Session) -> dict[str, Any]:
    """A session."""
    return _lean(
        {
            "id": session.id,
            "client": session.client,
            "client_session": session.client_session,
            "folder": session.folder,
            "since": to_iso(session.started_at),
            "last_beat": to_iso(session.beat_at),
        }
    )


def agent_dict(agent: Agent) -> dict[str, Any]:
    """An agent, its presence and its counts."""
    shown = {
        "name": agent.name,
        "online": agent.session is not None,
        "role": agent.role,
        **_lean({"description": agent.description}),
        "queued": agent.queued,
        "leased": agent.leased,
    }
    if agent.dead:
        shown["dead"] = agent.dead
    if agent.session is not None:
        shown["session"] = session_dict(agent.session)
    elif agent.last_seen_at is not None:
        shown["last_seen"] = to_iso(agent.last_seen_at)
    return shown


def _whereabouts_dict(place: Whereabouts) -> dict[str, Any]:
    return _lean(
        {
            "agent": place.agent,
            "state": place.state,
            "since": _iso(place.since),
            "delivery_count": place.delivery_count or None,
            "session": place.session,
            "lease_until": _iso(place.lease_until),
            "settled_by": place.settled_by,
            "answered_by": place.answered_by,
            "reasons": list(place.reasons) or None,
        }
    )


def receipt_dict(receipt: Receipt) -> dict[str, Any]:
    """Where a message is; its text is left out."""
    shown = message_dict(receipt.message)
    del shown["body"]
    shown.pop("metadata", None)
    shown["recipients"] = [_whereabouts_dict(place) for place in receipt.recipients]
    return shown


def event_dict(event: Event) -> dict[str, Any]:
    """One line of the ledger."""
    return _lean(
        {
            "seq": event.seq,
            "at": to_iso(event.at),
            "event": event.event,
            "actor": event.actor,
            "session": event.session,
            "topic": event.topic,
            "message": event.message,
            "project": event.project,
            "step": event.step,
            "attempt": event.attempt,
            "agent": event.agent,
            "detail": detail_of(event),
        }
    )


_TIMES = ("lease_until", "not_before", "until")


def detail_of(event: Event) -> dict[str, Any] | None:
    """What the ledger keeps besides, with its times written as everywhere."""
    if event.detail is None:
        return None
    return {
        name: to_iso(value) if name in _TIMES and isinstance(value, int) else value
        for name, value in event.detail.items()
    }


# --- topics --------------------------------------------------------------------------------------


def topic_dict(topic: Topic) -> dict[str, Any]:
    """A topic. ``unread`` is there for members only, ``messages`` is how many it holds."""
    shown: dict[str, Any] = {"id": topic.id, "name": topic.name, "state": topic.state}
    if topic.unread is not None:
        shown["unread"] = topic.unread
    shown["messages"] = topic.last_seq
    if topic.members is not None:
        shown["members"] = topic.members
    return {
        **shown,
        **_lean(
            {
                # The topic of all agents is as old as the bus, which says nothing.
                "last_at": _iso(topic.last_at or None),
                "created_by": topic.created_by,
                "created_at": _iso(topic.created_at or None),
                "closed_at": _iso(topic.closed_at),
                "closed_by": topic.closed_by,
                "close_reason": topic.close_reason,
                "metadata": topic.metadata,
            }
        ),
    }


def membership_dict(membership: Membership) -> dict[str, Any]:
    """One agent in one topic; which topic is said beside it."""
    shown = {
        "agent": membership.agent,
        "online": membership.online,
        "unread": membership.unread,
        "cursor": membership.cursor,
    }
    if membership.position != membership.cursor:
        shown["position"] = membership.position
    if membership.in_hand:
        shown["in_hand"] = membership.in_hand
    shown |= _lean(
        {
            "last_sync": _iso(membership.seen_at),
            "joined_at": to_iso(membership.joined_at),
            "left_at": _iso(membership.left_at),
        }
    )
    if membership.fresh:
        shown["joined"] = True
    return shown


def topic_message_dict(message: TopicMessage) -> dict[str, Any]:
    """A message of a topic, which is said beside it. ``body`` is always there."""
    shown = _lean(
        {
            "id": message.id,
            "seq": message.seq,
            "from": message.sender,
            "imported_by": message.imported_by,
            "kind": message.kind,
            "reply_to": message.reply_to,
            "thread": message.thread if message.thread not in (message.id, message.reply_to) else None,
            "sent_at": to_iso(message.created_at),
            "metadata": message.metadata,
        }
    )
    shown["body"] = message.body
    return shown


def _posted_dict(posted: Posted) -> dict[str, Any]:
    shown: dict[str, Any] = {"id": posted.id, "seq": posted.seq}
    if posted.repeated:
        shown["repeated"] = True
    return shown


def synced_dict(synced: Synced) -> dict[str, Any]:
    """The answer to a sync. Which range it hands out is between the bus and the face."""
    topic = synced.topic
    shown: dict[str, Any] = {"topic": topic.name, "topic_id": topic.id, "state": topic.state}
    if topic.close_reason:
        shown["close_reason"] = topic.close_reason
    if synced.joined:
        shown["joined"] = True
    if synced.posted:
        shown["posted"] = [_posted_dict(posted) for posted in synced.posted]
    shown["messages"] = [topic_message_dict(message) for message in synced.messages]
    if synced.redelivered:
        shown["redelivered"] = True
    shown["has_more"] = synced.has_more
    shown["cursor"] = synced.cursor
    shown["through"] = synced.through
    return shown


def hit_dict(
    hit: Hit, snippet: str, marks: tuple[tuple[int, int], ...] = (), *, by_meaning: bool = False
) -> dict[str, Any]:
    """One message that a search found: a stretch of its text instead of the whole.

    ``marks`` are the places in ``snippet`` that match, each from a first character to one behind the last;
    ``by_meaning`` says that it was found by its meaning, not its words.
    """
    in_topic = hit.topic is not None
    shown = _lean(
        {
            "id": hit.id,
            "topic": hit.topic_name,
            "topic_id": hit.topic,
            "seq": hit.seq if in_topic else None,
            "from": hit.sender,
            "to": None if in_topic else list(hit.recipients),
            "kind": hit.kind,
            "subject": hit.subject,
            "thread": hit.thread if hit.thread != hit.id else None,
            "sent_at": to_iso(hit.created_at),
        }
    )
    shown["snippet"] = snippet
    if marks:
        shown["marks"] = [list(mark) for mark in marks]
    if by_meaning:
        shown["by_meaning"] = True
    shown["score"] = round(hit.score, 4)
    return shown
