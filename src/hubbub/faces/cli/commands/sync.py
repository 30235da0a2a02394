"""sync: post to a topic and take what others posted.

What is handed out is confirmed only after its text was written; see ``holding.py``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from hubbub.errors import EXIT_NOTHING, HubbubError
from hubbub.faces.cli import render, render_topics
from hubbub.faces.cli.bodies import read_body, read_metadata
from hubbub.faces.cli.failures import Interrupted, UsageError
from hubbub.faces.cli.holding import Signals, drive, hand_over
from hubbub.faces.cli.render_topics import name_of
from hubbub.wire import synced_dict

if TYPE_CHECKING:
    from hubbub.faces.cli.context import Context
    from hubbub.model import Actor
    from hubbub.model_topics import Post, Synced

MAX_BYTES = 8 << 20
"""About how much text one answer holds: the rest comes with the next sync."""


def sync(context: Context) -> int:
    """Post, acknowledge, read and wait in one stroke; then confirm what was written."""
    given = context.arguments
    actor = context.actor
    context.output.check_open()  # else messages would be taken that nobody can be shown
    if given.ack_through is not None and not given.manual:
        raise UsageError("--ack-through goes with --manual.", hint="Run: hubbub sync --help")
    outbox = _outbox(context)
    began = _Began(context)
    with Signals() as signals:
        steps = context.bus.topics.syncing(
            actor,
            given.topic,
            outbox,
            wait=given.wait,
            limit=given.limit,
            max_bytes=MAX_BYTES,
            auto_advance=not given.manual,
            ack_through=given.ack_through,
            lease=given.lease,
            before_wait=began,
        )
        try:
            synced = drive(steps, signals)
        except Interrupted:
            began.break_off()
            raise
        context.output.done = _posted(synced)
        _hand_over(context, actor, synced, began, signals)
        if synced.hand is not None:
            context.bus.topics.confirm(actor, (synced.hand,))
    return 0 if synced.messages or synced.posted else EXIT_NOTHING


class _Began:
    """Tells what was posted before a wait begins: whoever breaks that off must not post it again."""

    def __init__(self, context: Context) -> None:
        self._output = context.output
        self._first: Synced | None = None

    def __call__(self, first: Synced) -> None:
        if first.posted:
            self._first = first
            self._output.done = _posted(first)
            if not self._output.json:
                self.show(first)
                self._output.flush()

    def show(self, synced: Synced) -> None:
        """Add what a sync did, if that was not told yet."""
        if self._first is None or synced is self._first:
            if synced.joined:
                self._output.line(f"Joined {name_of(synced.topic)}.")
            if synced.posted:
                self._output.line(_posted(synced))

    def break_off(self) -> None:
        """The wait was broken off: answer with what was posted, where that is one answer."""
        if self._first is not None and self._output.json:
            self._output.answer(synced_dict(self._first))
            self._output.flush()


def _outbox(context: Context) -> tuple[Post, ...]:
    given = context.arguments
    if not given.post and (given.reply_to or given.metadata or given.key):
        raise UsageError("--reply-to, --metadata and --key go with --post.", hint="Run: hubbub sync --help")
    if given.post.count("-") > 1:
        raise UsageError("Standard input can be posted once.", hint="Run: hubbub sync --help")
    metadata = read_metadata(given.metadata)
    return tuple(
        context.bus.topics.post(
            read_body(text),
            kind=given.kind,
            reply_to=given.reply_to,
            metadata=metadata,
            key=given.key if given.key is None or number == 1 else f"{given.key}:{number}",
        )
        for number, text in enumerate(given.post, 1)
    )


def _hand_over(context: Context, actor: Actor, synced: Synced, began: _Began, signals: Signals) -> None:
    def give_back(unseen: bool) -> None:
        if synced.hand is None:
            return
        try:
            context.bus.topics.take_back(actor, (synced.hand,), unseen=unseen)
        except HubbubError:
            return  # the bus fails: then it is handed out again once its time runs out

    held = render.plural(len(synced.messages), "message") if synced.hand is not None else ""
    hand_over(context.output, signals, lambda: _show(context, synced, began), give_back, held)


def _show(context: Context, synced: Synced, began: _Began) -> None:
    given, output = context.arguments, context.output
    if output.json:
        output.answer(synced_dict(synced))
        return
    now = context.bus.store.now()
    name = name_of(synced.topic)
    began.show(synced)
    for message in synced.messages:
        render_topics.topic_message(message, name, now, output, redelivered=synced.redelivered)
    if given.manual and synced.messages:
        topic = given.topic if given.topic.isalnum() else synced.topic.id
        output.line(f"These come again until: hubbub sync {topic} --manual --ack-through {synced.through}")
    if synced.has_more:
        output.line("There is more: sync again.")
    if synced.topic.state != "open":
        output.line(f"{name} was {render_topics.closing(synced.topic, now)}")


def _posted(synced: Synced) -> str:
    told = [
        f"{posted.id} as number {posted.seq}" + (" (already posted: same key)" if posted.repeated else "")
        for posted in synced.posted
    ]
    return f"Posted {', '.join(told)} in {name_of(synced.topic)}." if told else ""
