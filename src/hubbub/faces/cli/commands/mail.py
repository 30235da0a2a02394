"""send, reply, ack."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from hubbub.errors import InvalidArgument
from hubbub.faces.cli.bodies import read_body, read_metadata
from hubbub.faces.cli.failures import UsageError
from hubbub.wire import sent_dict

if TYPE_CHECKING:
    from hubbub.faces.cli.context import Context
    from hubbub.model import Sent


def send(context: Context) -> int:
    """Send a message."""
    given = context.arguments
    actor = context.actor
    names = [name.strip() for name in given.to.split(",")]
    draft = context.bus.mail.draft(
        names, read_body(given.body), in_reply_to=given.reply_to, actor=actor, **_content(context)
    )
    sent = context.bus.mail.send(actor, draft, key=given.key, wait_for_room=given.wait_for_room)
    return _sent(context, sent)


def reply(context: Context) -> int:
    """Answer a message; that settles it."""
    given = context.arguments
    actor = context.actor
    content, body = _content(context), given.body
    if given.decline is not None:
        if body is not None or given.kind is not None:
            raise UsageError("--decline takes the reason itself.", hint="hubbub reply ID --decline REASON")
        body, content["kind"] = given.decline, "declined"
    draft = context.bus.mail.draft(None, read_body(body), in_reply_to=given.id, actor=actor, **content)
    sent = context.bus.mail.send(actor, draft, key=given.key, wait_for_room=given.wait_for_room)
    return _sent(context, sent)


def ack(context: Context) -> int:
    """Settle messages, or give them back."""
    given = context.arguments
    if given.delay and not given.release:
        raise UsageError("--delay goes with --release.", hint="Run: hubbub ack --help")
    actor = context.actor
    ids = [id_ for word in given.ids for id_ in word.split(",") if id_]
    if not ids:
        raise InvalidArgument("Name at least one message by its id.")
    if given.release:
        done = context.bus.mail.release(actor, ids, delay=given.delay, key=given.key)
        context.done({"released": list(done)}, f"Gave back {', '.join(done)}.")
    else:
        done = context.bus.mail.acknowledge(actor, ids, key=given.key)
        context.done({"settled": list(done)}, f"Settled {', '.join(done)}.")
    return 0


def _content(context: Context) -> dict[str, Any]:
    given = context.arguments
    return {
        "subject": given.subject,
        "kind": given.kind,
        "priority": given.priority,
        "metadata": read_metadata(given.metadata),
        "thread": given.thread,
        "reply_within": given.reply_within,
        "ttl": given.ttl,
        "announce": given.announce,
    }


_DEBTS = {
    "answered": "That is the answer that was owed.",
    "declined": "It was declined: no answer is owed any more.",
    "open": "This was no answer to who asked: it is owed still.",
    "waived": "The answer had been waived: nobody waits for it.",
}


def _sent(context: Context, sent: Sent) -> int:
    again = " (already sent: same key)" if sent.repeated else ""
    lines = [f"Sent {sent.id} to {', '.join(sent.recipients)}.{again}"]
    if sent.settled:
        lines.append(f"Settled {sent.settled}.")
    if sent.debt:
        lines.append(_DEBTS[sent.debt])
    context.done(sent_dict(sent), *lines)
    return 0
