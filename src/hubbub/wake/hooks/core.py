"""What to say to an agent at each event of its client. Nothing here takes mail out or settles it."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from hubbub.errors import HubbubError
from hubbub.wake.hooks import identity, inbox, memory
from hubbub.wake.hooks import occasion as o
from hubbub.wake.hooks.occasion import NOTHING, Occasion, Verdict

if TYPE_CHECKING:
    from hubbub.bus import Bus
    from hubbub.model import Agent, Delivery
    from hubbub.model_pending import Debt
    from hubbub.model_work import Conflict, Step

SHOWN = 10
SHOWN_AFTER_TOOL = 5

STOPS_REFUSED = 3
"""How many stops in a row are refused at most."""

OWN_TOOLS = ("hubbub",)
"""What the name of a tool of this bus holds, in every client."""

SAID_BEFORE = "Hubbub, before you stop:"
"""How the text begins by which a stop is refused: some clients give it back as a prompt."""


class Surroundings:
    """What a hook was started with."""

    def __init__(self, bus: Bus, bus_url: str, named: str | None, *, bus_named: bool = False) -> None:
        self.bus = bus
        self.bus_url = bus_url
        self.bus_named = bus_named
        """``--bus`` or HUBBUB_BUS named the bus, not a file or a folder."""
        self.named = named
        """The agent that ``--as`` or HUBBUB_AGENT names."""
        self.complaints: list[str] = []
        """What went wrong without stopping the hook."""


def decide(here: Surroundings, occasion: Occasion) -> Verdict:
    """What to answer. Raises HubbubError where the bus can't be asked."""
    if occasion.event == o.BEFORE_WRITE:
        return before_write(here, occasion)
    if occasion.sub_agent:
        return NOTHING  # the mail is its principal's
    agent = identity.find(here.bus, occasion, here.named)
    if agent is None:
        if occasion.event == o.SESSION_START:
            from hubbub.wake.hooks import texts

            return Verdict(context=texts.no_name(here.named))
        if occasion.event != o.AFTER_TOOL:
            here.complaints.append("no agent of this bus is known for the session")
        return NOTHING
    if occasion.event != o.AFTER_TOOL:
        identity.keep_session(here.bus, agent, occasion)
    return _OF_EVENT[occasion.event](here, occasion, agent)


# --- telling of mail ------------------------------------------------------------------------------


def session_start(here: Surroundings, occasion: Occasion, agent: Agent) -> Verdict:
    """Who the agent is, who is there, what waits for it and what it holds."""
    from hubbub.wake.hooks import texts

    memory.prune(here.bus_url, time.time())
    others = [other for other in _agents(here.bus) if other.name != agent.name]
    queue, total = inbox.look(here.bus, agent.name)
    with _remembering(here, occasion, agent) as known:
        inbox.tell(known, queue)
        known.blocks = 0
        known.save()
    stakes = here.bus.store.agents.stakes(agent.name)
    held = _held(here.bus, agent) if stakes.steps else []
    files = here.bus.work.reservations(agent=agent.name) if stakes.files else ()
    parts = [
        texts.who_you_are(agent.name, others),
        texts.holdings(held, files),
        texts.mail(queue, total, SHOWN) if queue else "",
    ]
    return Verdict(context="\n".join(part for part in parts if part))


def _agents(bus: Bus) -> list[Agent]:
    """The agents of the bus; a name that a server made up and nobody used counts only while it is online."""
    try:
        found = bus.agents.all()
    except HubbubError:  # busy: then those whose process is gone are shown, too
        found = bus.store.agents.all()
    return [agent for agent in found if agent.session is not None or not agent.ephemeral]


def prompt(here: Surroundings, occasion: Occasion, agent: Agent) -> Verdict:
    """What came since the agent was told last."""
    queue, total = inbox.look(here.bus, agent.name)
    with _remembering(here, occasion, agent) as known:
        new = inbox.tell(known, queue)
        if known.blocks and SAID_BEFORE not in occasion.prompt:
            known.blocks = 0  # a person had a word in between: stops begin to count anew
            known.save()
        elif new:
            known.save()
    return _mail(new, total, SHOWN)


def after_tool(here: Surroundings, occasion: Occasion, agent: Agent) -> Verdict:
    """The same, in the middle of a turn; most of the time there is nothing."""
    if not agent.queued:
        return NOTHING
    queue, total = inbox.look(here.bus, agent.name)
    with _remembering(here, occasion, agent) as known:
        new = inbox.tell(known, queue)
        if not new or not known.save():
            return NOTHING  # what can't be remembered would be said again at every call
    if any(word in occasion.tool.lower() for word in OWN_TOOLS):
        # Its own answer says how much waits. What is urgent is told in any case.
        new = [delivery for delivery in new if delivery.message.priority == "urgent"]
    return _mail(new, total, SHOWN_AFTER_TOOL)


def stop(here: Surroundings, occasion: Occasion, agent: Agent) -> Verdict:
    """Refuse to stop over what is left to do: once for each message, answer and claim, and only so many
    times in a row."""
    queue, total = inbox.look(here.bus, agent.name)
    # What is nowhere needs no modules, which take longer to load than all else.
    stakes = here.bus.store.agents.stakes(agent.name)
    owed = _owed(here, agent) if stakes.answers else []
    held = _held(here.bus, agent) if stakes.steps else []
    with _remembering(here, occasion, agent) as known:
        unread = [delivery for delivery in queue if known.unstopped([inbox.key(delivery)])]
        owed = [debt for debt in owed if known.unstopped([_debt(debt)])]
        held = [(name, step) for name, step in held if known.unstopped([_claim(step)])]
        if not (unread or owed or held) or known.blocks >= STOPS_REFUSED:
            if known.blocks:
                known.blocks = 0
                known.save()
            return NOTHING
        known.blocks += 1
        inbox.tell(known, unread)
        known.stop([inbox.key(delivery) for delivery in unread])
        known.stop([_debt(debt) for debt in owed] + [_claim(step) for _, step in held])
        if not known.save():
            here.complaints.append("a stop was let pass: what was said can't be remembered")
            return NOTHING
    from hubbub.wake.hooks import texts

    return Verdict(refusal=texts.before_stop(unread, total, owed, held))


def session_end(here: Surroundings, occasion: Occasion, agent: Agent) -> Verdict:
    """Forget what the session was told."""
    with _remembering(here, occasion, agent) as known:
        known.forget()
    return NOTHING


_OF_EVENT = {
    o.SESSION_START: session_start,
    o.PROMPT: prompt,
    o.AFTER_TOOL: after_tool,
    o.STOP: stop,
    o.SESSION_END: session_end,
}


def _remembering(here: Surroundings, occasion: Occasion, agent: Agent) -> memory.Memory:
    known = memory.recall(here.bus_url, agent.name, occasion.client, occasion.session)
    if known is None:
        here.complaints.append("what was said can't be remembered")
        return memory.Memory()
    return known


def _mail(new: list[Delivery], total: int, shown: int) -> Verdict:
    if not new:
        return NOTHING
    from hubbub.wake.hooks import texts

    return Verdict(context=texts.mail(new, total, shown))


def _debt(debt: Debt) -> str:
    return f"owed:{debt.message}"


def _claim(step: Step) -> str:
    return f"held:{step.id}:{step.attempts}"


def _owed(here: Surroundings, agent: Agent) -> list[Debt]:
    """The answers that the agent owes to what it has had; what it has not had waits in its inbox."""
    found = here.bus.pending.owed_by(agent.name, limit=inbox.LOOKED_AT)
    return [debt for debt in found if debt.delivery != "queued"]


def _held(bus: Bus, agent: Agent) -> list[tuple[str, Step]]:
    """The steps that the agent holds, as it would name them."""
    from hubbub.model_work import LIVE

    held = [step for step in bus.work.steps(statuses=LIVE, limit=1000)[0] if step.agent == agent.name]
    names = {
        project: bus.work.project(project).name for project in dict.fromkeys(step.project for step in held)
    }
    return [(f"{names[step.project]}/{step.num}", step) for step in held]


# --- before a file is written ---------------------------------------------------------------------


def before_write(here: Surroundings, occasion: Occasion) -> Verdict:
    """Refuse to write a file that another agent keeps, or only say so."""
    from hubbub.wake.hooks import paths

    files = paths.written_files(occasion.tool, occasion.tool_input or {}, occasion.cwd)
    if not files:
        return NOTHING
    agent = identity.find(here.bus, occasion, here.named)
    if agent is None:
        return NOTHING  # what it keeps itself can't be told from what others do
    if not here.bus.store.agents.stakes(agent.name).kept_by_others:
        return NOTHING
    names = paths.names_on_bus(files, occasion.project)
    found = _kept(here.bus, agent.name, {name: files[path] for name, path in names.items()})
    if not found:
        return NOTHING
    from hubbub.config import Config
    from hubbub.wake.hooks import texts

    mode = Config(occasion.project or None, bus_named=here.bus_named).get("hooks.writes")
    if mode == "off":
        return NOTHING
    text = texts.held_by_others(found, denied=mode == "deny")
    return Verdict(refusal=text) if mode == "deny" else Verdict(context=text)


def _kept(bus: Bus, agent: str, names: dict[str, str]) -> list[tuple[str, Conflict]]:
    """Which files others than ``agent`` keep: of ``names`` on the bus what the client calls them."""
    from hubbub.globs import matches

    if not names:
        return []
    # All that is kept, to look for the names in: a name may hold letters that mean something in a glob.
    kept = bus.work.conflicts(("**",), but=agent)
    found: dict[str, Conflict] = {}
    for name, file in names.items():
        first = next((each for each in kept if matches(each.held, name)), None)
        if first is not None:
            found.setdefault(file, first)
    return list(found.items())
