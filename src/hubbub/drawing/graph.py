"""A project's steps as a graph: waves, the longest open chain, and what holds up what."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from hubbub.model_work import DONE, LIVE, Counts, Need, Project, Step

CLOSED = ("completed", "merged", "cancelled")
"""Statuses of steps at which nothing is left to do; a failed or parked one may come back."""

GIVEN_UP = ("failed", "parked", "cancelled")


class Node(NamedTuple):
    """A step in the graph."""

    id: str
    num: int
    title: str
    status: str
    agent: str | None
    needs: tuple[Need, ...]
    """Its edges, but those to steps that are not given."""
    unmet: tuple[int, ...]
    """The numbers of the steps that it still waits for."""
    wave: int
    """0 for a step that needs no other, else one more than the last wave of what it needs."""

    @property
    def ready(self) -> bool:
        """It waits for no other step, and nobody has it."""
        return self.status == "not_started" and not self.unmet

    @property
    def open(self) -> bool:
        """Something is left to do at it."""
        return self.status not in CLOSED


class Graph(NamedTuple):
    """The steps of a project and what they wait for."""

    name: str
    state: str
    counts: Counts
    nodes: tuple[Node, ...]
    """By number."""
    waves: tuple[tuple[int, ...], ...]
    """The numbers of the steps of each wave: none needs another of its own."""
    chain: tuple[int, ...]
    """The longest chain of open steps that must be done one after the other; the first of several."""
    holds_up: Mapping[int, int]
    """For each open step that is in the way of others: how many open steps wait for it, at first or second
    hand. The one that holds up most comes first."""

    @property
    def by_num(self) -> dict[int, Node]:
        """The steps by their numbers."""
        return {node.num: node for node in self.nodes}


def graph_of(project: Project, steps: Iterable[Step]) -> Graph:
    """The graph of all ``steps`` of a project."""
    known = {step.num: step for step in sorted(steps, key=lambda step: step.num)}
    order = _ordered(known)
    waves = _waves(known, order)
    nodes = {num: _node(step, known, waves[num]) for num, step in known.items()}
    count = max(waves.values(), default=-1) + 1
    layers: list[list[int]] = [[] for _ in range(count)]
    for num in known:
        layers[waves[num]].append(num)
    return Graph(
        name=project.name,
        state=project.state,
        counts=project.counts,
        nodes=tuple(nodes.values()),
        waves=tuple(map(tuple, layers)),
        chain=_chain(nodes, order),
        holds_up=_holding(nodes, order),
    )


def _ordered(known: Mapping[int, Step]) -> list[int]:
    """The numbers so that each comes after what it needs. A circle, which no store has, is put at the end."""
    left = {num: sum(need.num in known for need in step.needs) for num, step in known.items()}
    dependents: dict[int, list[int]] = {num: [] for num in known}
    for num, step in known.items():
        for need in step.needs:
            if need.num in known:
                dependents[need.num].append(num)
    order = [num for num, count in left.items() if count == 0]
    for num in order:  # grows while it is gone through
        for dependent in dependents[num]:
            left[dependent] -= 1
            if left[dependent] == 0:
                order.append(dependent)
    placed = set(order)
    return order + [num for num in known if num not in placed]


def _waves(known: Mapping[int, Step], order: Sequence[int]) -> dict[int, int]:
    waves: dict[int, int] = {}
    for num in order:
        waves[num] = max((waves[need.num] + 1 for need in known[num].needs if need.num in waves), default=0)
    return waves


def _node(step: Step, known: Mapping[int, Step], wave: int) -> Node:
    needs = tuple(sorted((need for need in step.needs if need.num in known), key=lambda need: need.num))
    waits = step.status not in (*DONE, *GIVEN_UP, *LIVE)
    unmet = tuple(need.num for need in needs if waits and not _met(need, known[need.num].status))
    return Node(step.id, step.num, step.title, step.status, step.agent, needs, unmet, wave)


def _met(need: Need, status: str) -> bool:
    if status in GIVEN_UP:
        return need.on_failure == "continue"
    return status == "merged" or (status == "completed" and need.until == "completed")


def _chain(nodes: Mapping[int, Node], order: Sequence[int]) -> tuple[int, ...]:
    length: dict[int, int] = {}
    before: dict[int, int | None] = {}
    for num in order:
        node = nodes[num]
        if not node.open:
            continue
        longest = max(
            (need for need in node.unmet if need in length), key=lambda need: length[need], default=None
        )
        length[num] = 1 if longest is None else length[longest] + 1
        before[num] = longest
    if not length:
        return ()
    last: int | None = max(length, key=lambda num: (length[num], -num))
    chain = []
    while last is not None:
        chain.append(last)
        last = before[last]
    return tuple(reversed(chain))


def _holding(nodes: Mapping[int, Node], order: Sequence[int]) -> dict[int, int]:
    """How many open steps each open one holds up. Sets of steps are the bits of whole numbers: in Python
    nothing else unites ten thousand sets of ten thousand in a moment."""
    place = {num: index for index, num in enumerate(order)}
    waiting: dict[int, int] = {}
    for num in reversed(order):
        node = nodes[num]
        if node.open:
            own = waiting.get(num, 0) | 1 << place[num]
            for need in node.unmet:
                if place[need] < place[num]:
                    waiting[need] = waiting.get(need, 0) | own
    # What is needed and was completed but not merged, or was cancelled, is no open step and yet in the way.
    found = {num: bits.bit_count() for num, bits in waiting.items()}
    return dict(sorted(found.items(), key=lambda item: (-item[1], item[0])))
