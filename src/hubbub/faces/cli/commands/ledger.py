"""log: the ledger, and following it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from hubbub.clock import moment
from hubbub.errors import InvalidArgument, TopicNotFound
from hubbub.faces.cli import render
from hubbub.model import EVENTS
from hubbub.names import check_name, check_word
from hubbub.wire import event_dict

if TYPE_CHECKING:
    from hubbub.faces.cli.context import Context
    from hubbub.model import Event

PAGE = 200
LIMIT_MAX = 100_000
_LOOK_AGAIN_SECONDS = 5.0


class Names:
    """The names of the topics that events concern."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._known: dict[str, str | None] = {}
        self._work: dict[str, str] = {}

    def of(self, event: Event) -> str | None:
        """What the event's topic is called now; None when it is gone, or there is none."""
        if event.topic is None:
            return None
        if event.event in ("topic_renamed", "topic_deleted") or event.topic not in self._known:
            try:
                self._known[event.topic] = self._context.bus.topics.get(event.topic).name
            except TopicNotFound:
                self._known[event.topic] = None
        return self._known[event.topic]

    def work(self, event: Event) -> str | None:
        """The step that the event concerns as ``PROJECT/NUMBER``, else the project's name."""
        if event.project is None:
            return None
        id_ = event.step or event.project
        if id_ not in self._work:
            self._work[id_] = self._named(event.project, event.step)
        return self._work[id_]

    def _named(self, project: str, step: str | None) -> str:
        name = self._work.get(project)
        if name is None:
            name = self._work[project] = self._context.bus.work.project(project).name
        return name if step is None else f"{name}/{self._context.bus.work.step(step)[0].num}"


def log(context: Context) -> int:
    """Show the ledger's events, and go on with ``--follow``."""
    given = context.arguments
    if not 1 <= given.limit <= LIMIT_MAX:
        raise InvalidArgument(f"limit must be from 1 to {LIMIT_MAX}.")
    wanted = _wanted(context)
    ledger = context.bus.events
    latest = ledger.events(newest=True, limit=1)
    last = latest[-1].seq if latest else 0
    if given.after is None:
        events = ledger.events(newest=True, limit=given.limit, **wanted)
    else:
        events = ledger.events(after=given.after, limit=given.limit, **wanted)
    if given.follow:
        if given.after is not None and len(events) == given.limit:
            last = 0  # there are more between these and the newest
        _follow(context, events, max([last, *(event.seq for event in events)]), wanted)
    else:
        tell(context, events)
    return 0


def tell(context: Context, events: list[Event]) -> None:
    """Answer with ``events``."""
    names = Names(context)
    if context.output.json:
        context.output.answer({"events": [_as_dict(event, names) for event in events]})
    else:
        _show(context, events, names)


def _follow(context: Context, events: list[Event], last: int, wanted: dict[str, Any]) -> None:
    """Show ``events`` and what comes after seq ``last``, until interrupted."""
    names = Names(context)
    with context.bus.store.bell("events") as bell:
        while True:
            _show(context, events, names)
            context.output.flush()
            events = context.bus.events.events(after=last, limit=PAGE, **wanted)
            if events:
                last = events[-1].seq
            else:
                bell.wait(_LOOK_AGAIN_SECONDS)


def _show(context: Context, events: list[Event], names: Names) -> None:
    for event in events:
        if context.output.json:
            context.output.answer(_as_dict(event, names))
        else:
            render.event(event, context.output, topic=names.of(event), work=names.work(event))


def _as_dict(event: Event, names: Names) -> dict[str, Any]:
    shown = event_dict(event)
    more = {"topic_name": names.of(event), "step_name" if event.step else "project_name": names.work(event)}
    return {**shown, **{key: name for key, name in more.items() if name is not None}}


def _wanted(context: Context) -> dict[str, Any]:
    given = context.arguments
    return {
        "agent": None if given.agent is None else check_name(given.agent),
        "message": given.message,
        "topic": given.topic,
        "project": given.project,
        "step": given.step,
        "kinds": tuple(check_word(word, EVENTS, "kind of event") for word in given.events),
        "since": None if given.since is None else moment(given.since, context.bus.store.now()),
    }
