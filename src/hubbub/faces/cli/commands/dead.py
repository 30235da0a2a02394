"""dead: letters that nobody could settle, and what to do with them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hubbub.errors import EXIT_FAILED, NotDead
from hubbub.faces.cli import render
from hubbub.faces.cli.failures import UsageError
from hubbub.names import check_name, check_word, parse_message_id
from hubbub.text import safe_line
from hubbub.wire import delivery_dict

if TYPE_CHECKING:
    from typing import Any

    from hubbub.faces.cli.context import Context
    from hubbub.model import Delivery

ACTIONS = ("list", "show", "retry", "purge")
AT_ONCE = 1000


def dead(context: Context) -> int:
    """List, show, retry or purge dead letters."""
    given = context.arguments
    action = check_word(given.action, ACTIONS, "thing to do with dead letters")
    if action == "list":
        if given.ids or given.all:
            raise UsageError("dead list takes no ids.", hint="See one with: hubbub dead show ID")
        return _list(context)
    if action == "show":
        if len(given.ids) != 1 or given.all:
            raise UsageError("dead show takes one id.", hint="List them with: hubbub dead")
        return _show(context, given.ids[0])
    if bool(given.ids) == given.all:
        raise UsageError(f"dead {action} takes either ids or --all.", hint="List them with: hubbub dead")
    return _retry(context) if action == "retry" else _purge(context)


def _list(context: Context) -> int:
    given, output = context.arguments, context.output
    found = context.bus.mail.dead(agent=given.agent, limit=given.limit)
    if output.json:
        output.answer({"dead": [_as_dict(delivery) for delivery in found]})
        return 0
    now = context.bus.store.now()
    for delivery in found:
        told = delivery.message
        about = safe_line(told.subject or told.body[:200], 60)
        output.line(
            f"{output.styled(told.id, 'cyan')} from {told.sender} to {delivery.agent}: "
            f"{told.kind}, {render.ago(now, told.created_at)}: {about}"
        )
        if delivery.reasons:
            output.line(f"  {safe_line(delivery.reasons[-1])}")
    if not found:
        output.line("No dead letters.")
    return 0


def _show(context: Context, id_: str) -> int:
    found = [delivery for delivery in _dead_of(context, id_) if delivery.message.id == id_]
    if not found:
        context.bus.mail.message(id_)  # raises when there is no such message at all
        raise NotDead(f"{id_} is no dead letter.", hint=f"Where it is: hubbub status {id_}")
    if context.output.json:
        context.output.answer({"dead": [_as_dict(delivery) for delivery in found]})
        return 0
    now = context.bus.store.now()
    render.message(found[0].message, now, context.output, to=True)
    for delivery in found:
        times = render.plural(delivery.delivery_count, "time")
        context.output.line(f"Dead in the mail of {delivery.agent}, handed out {times}:")
        for reason in delivery.reasons:
            context.output.line(f"  {safe_line(reason)}")
    return 0


def _dead_of(context: Context, id_: str) -> list[Delivery]:
    parsed = parse_message_id(id_)
    if parsed is None:
        return []
    return context.bus.mail.dead(agent=context.arguments.agent, after=parsed[0] - 1, limit=AT_ONCE)


def _retry(context: Context) -> int:
    given = context.arguments
    agent = None if given.agent is None else check_name(given.agent)
    done = sum(context.bus.mail.retry(ids, agent=agent) for ids in _batches(_ids(context)))
    return _answer(context, "retried", done, "is queued again", "are queued again")


def _purge(context: Context) -> int:
    given = context.arguments
    agent = None if given.agent is None else check_name(given.agent)
    ids = _ids(context)
    if ids and not context.confirm(f"Purging removes {render.plural(len(ids), 'dead letter')} for good."):
        context.output.line("Nothing was purged.")
        return EXIT_FAILED
    done = sum(context.bus.mail.purge(some, agent=agent) for some in _batches(ids))
    return _answer(context, "purged", done, "is gone", "are gone")


def _answer(context: Context, key: str, done: int, one: str, many: str) -> int:
    told = (
        f"{render.plural(done, 'dead letter')} {one if done == 1 else many}." if done else "No dead letters."
    )
    context.done({key: done}, told)
    return 0


def _ids(context: Context) -> list[str]:
    """The messages that were named, or with ``--all`` every one with a dead letter."""
    given = context.arguments
    if given.ids:
        return list(dict.fromkeys(given.ids))
    found: dict[str, None] = {}
    after = 0
    while page := context.bus.mail.dead(agent=given.agent, after=after, limit=AT_ONCE):
        found.update((delivery.message.id, None) for delivery in page)
        after = page[-1].message.seq
    return list(found)


def _batches(ids: list[str]) -> list[list[str]]:
    return [ids[start : start + AT_ONCE] for start in range(0, len(ids), AT_ONCE)]


def _as_dict(delivery: Delivery) -> dict[str, Any]:
    return {**delivery_dict(delivery), "agent": delivery.agent}
