"""When and how a line is put before an agent: only at a quiet prompt where nobody is typing.

This decides and keeps time by what it is told; the terminal behind it is a :class:`Terminal`.
Three phases follow each other: *resting* until mail waits that was not rung for and nothing stands
in the way; *written*, the line stands at the prompt and is looked at again before Enter; *entered*,
until the line is gone from the prompt.
"""

from __future__ import annotations

from typing import NamedTuple, Protocol

from hubbub.wake.profiles import Look, Profile, compact
from hubbub.wake.pty_keys import Keys

LOOK_SECONDS = 0.1
"""How often the screen is looked at while a line is on its way."""

STILL_SECONDS = 0.02
"""How soon to try again when something came in the last moment."""

ECHO_SECONDS = 5.0
"""How long a line may take to show up at the prompt."""

TAKEN_SECONDS = 1.5
"""How long a line may stay at the prompt after Enter before Enter is pressed once more."""

AGAIN_SECONDS = 60.0
"""After a line that was not taken, the next try comes this much later."""

HASTY_SECONDS = 0.25
"""How often the screen of a busy agent is looked at for urgent mail."""

NOTICE_SECONDS = 20.0
"""When it could not ring for so long, that is shown."""

ENTERS_MAX = 2


class Waiting(NamedTuple):
    """The mail that waits for an agent."""

    total: int
    urgent: int = 0
    fresh: int = 0
    """Grows whenever mail came that was not waiting before."""
    fresh_urgent: int = 0
    """The value of ``fresh`` when urgent mail came last."""
    newest: str | None = None
    """The message that came last, where that is known."""
    told: int = 0
    """The value of ``fresh`` up to which something else woke the agent."""
    other: bool = False
    """Something else stands by the agent that wakes it."""


class Outcome(NamedTuple):
    """What became of a try to ring."""

    worked: bool
    what: str
    message: str | None
    """The newest message that it was for."""


class Terminal(Protocol):
    """What a line is put into."""

    def look(self, own: str) -> Look:
        """What the screen shows now; ``own`` may stand at the prompt."""
        ...

    def still(self) -> bool:
        """Whether all that was typed and shown so far is known already."""
        ...

    def write(self, line: str) -> None:
        """Put a line at the prompt without sending it."""
        ...

    def enter(self) -> None:
        """Send what stands at the prompt."""
        ...


def doorbell(count: int, urgent: int = 0) -> str:
    """The line that gives an agent a turn: how many messages wait and what to call."""
    from hubbub.wake.hooks.texts import doorbell as text

    return text(count, urgent)


class Ringer:
    """Decides when to ring."""

    def __init__(self, profile: Profile, keys: Keys | None = None) -> None:
        self._profile = profile
        self._keys = keys if keys is not None else Keys()
        self._waiting = Waiting(0)
        self.output_at = float("-inf")
        self._phase = "resting"
        self._line = ""
        self._for = Waiting(0)
        """What the line on its way tells of."""
        self._rung = 0
        self._since = self._shown_at = float("-inf")
        """When the phase began; when the line was seen at the prompt first."""
        self._enters = 0
        self._keys_before = 0
        self._not_before = float("-inf")
        self._looked_at = float("-inf")
        self._held_since: float | None = None
        self.state = ""
        """What it waits for, in a few words; empty when nothing is to be done."""
        self.rings = 0
        self.outcomes: list[Outcome] = []
        """What became of tries, for the caller to take."""

    def mail(self, waiting: Waiting) -> None:
        """So much mail waits now."""
        self._waiting = waiting

    def output(self, now: float) -> None:
        """The program wrote something."""
        self.output_at = now

    @property
    def due(self) -> bool:
        """Whether mail waits that was not rung for."""
        return self._waiting.total > 0 and self._waiting.fresh > max(self._rung, self._waiting.told)

    @property
    def active(self) -> bool:
        """Whether a line is on its way."""
        return self._phase != "resting"

    @property
    def _hasty(self) -> bool:
        return self._profile.queues and self._waiting.urgent > 0 and self._waiting.fresh_urgent > self._rung

    def notice(self, now: float) -> str:
        """What to show a person when mail could not be rung for since long; else empty."""
        if self._held_since is None or now - self._held_since < NOTICE_SECONDS:
            return ""
        count = self._waiting.total
        return f"Hubbub: {count} message{'' if count == 1 else 's'} waiting ({self.state})"

    def step(self, now: float, terminal: Terminal) -> float | None:
        """Do what is to be done now; when to call again at the latest, None for when something happens."""
        if self._phase == "written":
            return self._written(now, terminal)
        if self._phase == "entered":
            return self._entered(now, terminal)
        if not self.due:
            self._held_since, self.state = None, ""
            return None
        if self._held_since is None:
            self._held_since = now
        again = self._rest(now, terminal)
        overdue = self._held_since + NOTICE_SECONDS
        return min(again, overdue) if overdue > now else again

    def end(self, now: float) -> None:
        """The program has ended: what became of a line on its way is said."""
        if self._phase == "entered":
            self._end(True, "rang", now)
        elif self._phase == "written":
            self._end(False, "the program ended", now)

    def _rest(self, now: float, terminal: Terminal) -> float:
        if self._waiting.other:
            self.state = "left to what wakes the agent by itself"
            return now + NOTICE_SECONDS  # when that goes, there is news of mail
        quiet_at = self.output_at + self._profile.quiet_seconds
        ready_at = max(self._keys.touched_at + self._profile.untouched_seconds, self._not_before)
        hasty = self._hasty and quiet_at > now
        ready_at = max(ready_at, self._looked_at + HASTY_SECONDS if hasty else quiet_at)
        if now < ready_at:
            self.state = self.state or "waits for a quiet screen"
            return ready_at
        self._looked_at = now
        seen = terminal.look("")
        if hasty and not seen.busy:
            return quiet_at
        why = self._hindered(seen, now)
        if why:
            self.state = why
            return now + self._patience(now, hasty)
        if not terminal.still():
            return now + STILL_SECONDS
        self._line = doorbell(self._waiting.total, self._waiting.urgent)
        self._for = self._waiting
        self._keys_before = self._keys.count
        self._begin("written", now)
        self._enters, self._shown_at = 0, float("inf")
        terminal.write(self._line)
        return now + self._profile.settle_seconds

    def _patience(self, now: float, hasty: bool) -> float:
        """How long until the same screen would be judged otherwise."""
        if hasty:
            return HASTY_SECONDS
        left = self._keys.touched_at + self._profile.trust_screen_seconds - now
        return left if left > 0 else ECHO_SECONDS

    def _hindered(self, seen: Look, now: float) -> str:
        """What stands in the way of a ring; empty when nothing does."""
        profile = self._profile
        if seen.dialog:
            return "a dialog is open"
        if seen.busy and not (profile.queues and self._hasty):
            return "the agent is busy"
        if seen.shell:
            return "a shell would run the line as a command"
        if seen.text is None:
            return "no prompt is on the screen"
        trust = profile.trust_screen_seconds
        if seen.text or self._keys.unsent(now, shows_text=profile.shows_text, trust_seconds=trust):
            return "something is typed and not sent"
        return ""

    def _begin(self, phase: str, now: float) -> None:
        self._phase, self._since = phase, now

    def _end(self, worked: bool, what: str, now: float) -> None:
        """Back to rest. What worked is not rung for again."""
        self._phase, self.state = "resting", "" if worked else what
        self.outcomes.append(Outcome(worked, what, self._for.newest))
        if worked:
            self.rings += 1
            self._rung = max(self._rung, self._for.fresh)
            self._held_since = None
        else:
            self._not_before = now + AGAIN_SECONDS

    def _touched(self) -> bool:
        return self._keys.count != self._keys_before

    def _written(self, now: float, terminal: Terminal) -> float:
        if self._touched():
            # The person goes on with the line: it is theirs now, to send or to clear.
            self._end(False, "somebody typed into the line; it was left to them", now)
            self._not_before = now
            return now
        if now < self._since + self._profile.settle_seconds:
            return self._since + self._profile.settle_seconds
        seen = terminal.look(self._line)
        there = seen.text is not None and compact(seen.text) == compact(self._line)
        if seen.dialog or seen.shell or (seen.busy and not self._profile.queues):
            self.state = self._hindered(seen, now)
            self._since = now  # the line is looked for once more when that is over
            return now + ECHO_SECONDS
        if not there:
            return self._unseen(now)
        self._shown_at = min(self._shown_at, now)
        settled = now - self.output_at >= self._profile.settle_seconds or now - self._shown_at >= 1.0
        if not settled or not terminal.still():
            return now + STILL_SECONDS
        self._enters += 1
        self._begin("entered", now)
        terminal.enter()
        return now + LOOK_SECONDS

    def _unseen(self, now: float) -> float:
        if now - self._since > ECHO_SECONDS:
            self._end(False, "the line did not show up at the prompt", now)
            return now
        return now + LOOK_SECONDS

    def _entered(self, now: float, terminal: Terminal) -> float:
        seen = terminal.look(self._line)
        if not seen.dialog and seen.text is not None and compact(seen.text) == compact(self._line):
            return self._not_taken(now, terminal)
        if seen.dialog and now - self._since < TAKEN_SECONDS:
            return now + LOOK_SECONDS
        self._end(True, "rang", now)
        return now

    def _not_taken(self, now: float, terminal: Terminal) -> float:
        """The line still stands there after Enter."""
        if self._touched():
            self._end(False, "somebody typed into the line; it was left to them", now)
            self._not_before = now
            return now
        if now - self._since < TAKEN_SECONDS or not terminal.still():
            return now + LOOK_SECONDS
        if self._enters < ENTERS_MAX:
            self._enters += 1
            self._since = now
            terminal.enter()
            return now + LOOK_SECONDS
        self._end(False, "the line was written, but not taken", now)
        return now
