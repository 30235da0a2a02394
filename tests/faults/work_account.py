"""What the ledger, the attempts and the notes of those who worked say of one project, compared."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator

from hubbub.bus import Bus
from hubbub.model import Event
from hubbub.model_work import StepDraft
from tests.faults.storm import StormFailed

ENDS = {
    "step_completed": "completed",
    "step_failed": "failed",
    "step_released": "released",
    "claim_expired": "lost",
    "claim_recovered": "lost",
}
"""The events that end a claim, and the state that the attempt has then."""


def require(condition: bool, what: str) -> None:
    """Raise StormFailed unless ``condition`` holds."""
    if not condition:
        raise StormFailed(what)


class Account:
    """One project's story, read from its ledger from the first line to the last."""

    def __init__(self, bus: Bus, project: str, plan: tuple[StepDraft, ...], limits: dict[str, int]) -> None:
        self._bus, self._project, self._limits = bus, project, limits
        self._drafts = {draft.num: draft for draft in plan if draft.num is not None}
        self._nums: dict[str, int] = {}
        self._live: dict[int, Event] = {}
        self._tries: Counter[int] = Counter()
        self._completed: dict[int, Event] = {}
        self.ended: dict[tuple[int, int], Event] = {}
        """What ended each attempt, ``(number of the step, attempt)``."""
        self.claimed: dict[tuple[int, int], Event] = {}
        self.events: Counter[str] = Counter()

    def _ledger(self) -> Iterator[Event]:
        after = 0
        while page := self._bus.events.events(after=after, project=self._project, limit=5000):
            yield from page
            after = page[-1].seq

    def replay(self) -> None:
        """Follow the ledger: every claim and every end must be allowed where it stands."""
        for event in self._ledger():
            self.events[event.event] += 1
            if event.event == "step_added" and event.step and event.detail:
                self._nums[event.step] = event.detail["num"]
            elif event.event == "step_claimed":
                self._begin(event)
            elif event.event in ENDS:
                self._end(event)
        require(not self._live, f"steps are still in hand: {sorted(self._live)[:10]}")
        missing = set(self._drafts) - set(self._completed)
        require(not missing, f"steps were never completed: {sorted(missing)[:10]}")
        require(self.events["project_completed"] == 1, "the project was not completed once")

    def _begin(self, event: Event) -> None:
        num = self._num(event)
        attempt = event.attempt or 0
        require(num not in self._live, f"step {num} was claimed while somebody had it")
        require(num not in self._completed, f"step {num} was claimed after it was completed")
        self._tries[num] += 1
        require(attempt == self._tries[num], f"attempt {attempt} at step {num} is out of order")
        draft = self._drafts[num]
        early = [need.num for need in draft.needs if need.num not in self._completed]
        require(not early, f"step {num} was claimed before {early} were completed")
        others = [self._drafts[other] for other in self._live]
        taken = [path for other in others for path in other.paths if path in draft.paths]
        require(not taken, f"step {num} was claimed while another held {taken}")
        for resource in draft.resources:
            had = sum(resource in other.resources for other in others)
            require(had < self._limits[resource], f"step {num} is one too many to have {resource}")
        self._live[num] = event
        self.claimed[num, attempt] = event

    def _end(self, event: Event) -> None:
        num = self._num(event)
        live = self._live.pop(num, None)
        require(live is not None, f"{event.event} of step {num}, which nobody had")
        assert live is not None
        require(live.attempt == event.attempt, f"attempt {event.attempt} at step {num} was not the live one")
        if event.event in ("step_completed", "step_failed", "step_released"):
            require(live.actor == event.actor, f"{event.actor} ended what {live.actor} had of step {num}")
        if event.event == "step_completed":
            require(num not in self._completed, f"step {num} was completed twice")
            self._completed[num] = event
        self.ended[num, event.attempt or 0] = event

    def _num(self, event: Event) -> int:
        require(event.step in self._nums, f"event {event.seq} is of an unknown step")
        return self._nums[event.step or ""]

    def compare_attempts(self) -> None:
        """The attempts say what the ledger says, and their times do not overlap."""
        for id_, num in self._nums.items():
            step, attempts = self._bus.work.step(id_)
            attempts = attempts[::-1]
            require(step.status == "completed", f"step {num} is {step.status}")
            require([one.number for one in attempts] == list(range(1, self._tries[num] + 1)), f"step {num}")
            states = [one.state for one in attempts]
            told = [ENDS[self.ended[num, one.number].event] for one in attempts]
            require(states == told, f"the attempts at step {num} are {states}, the ledger says {told}")
            require(states.count("completed") == 1, f"step {num} has {states}")
            free = 0
            for one in attempts:
                require(one.claimed_at >= free, f"attempt {one.number} at step {num} began too soon")
                require(one.ended_at is not None, f"attempt {one.number} at step {num} has no end")
                assert one.ended_at is not None
                lost = one.state == "lost"
                in_time = one.ended_at >= one.lease_until if lost else one.ended_at < one.lease_until
                require(in_time, f"attempt {one.number} at step {num} ended on the wrong side of its lease")
                free = one.lease_until if lost else one.ended_at

    def compare_notes(self, notes: dict[str, list[list[str]]]) -> None:
        """What each worker was told is what the ledger says of it."""
        wanted = {
            "done": ("step_completed",),
            "gave": ("step_failed", "step_released"),
            "lost": ("claim_expired", "claim_recovered"),
        }
        handed: dict[tuple[int, int], list[str]] = defaultdict(list)
        for name, lines in notes.items():
            for what, *rest in lines:
                if what == "ask":
                    continue
                num, attempt, repeated = int(rest[0]), int(rest[1]), rest[2] == "1"
                claim = self.claimed.get((num, attempt))
                require(claim is not None and claim.actor == name, f"{name} never had step {num}")
                if what == "had" and not repeated:
                    handed[num, attempt].append(name)
                if what in wanted:
                    end = self.ended[num, attempt].event
                    require(end in wanted[what], f"{name} was told {what} of step {num}, which {end} ended")
        twice = [place for place, names in handed.items() if len(names) > 1]
        require(not twice, f"attempts were handed out twice as new: {twice[:10]}")
