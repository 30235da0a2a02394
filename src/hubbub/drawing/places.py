"""Where the boxes of a picture stand: a column for each wave, in an order that keeps together what belongs
together. An edge that passes waves has a lane in each, so that it never runs behind a box."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple, TypeAlias

from hubbub.drawing.graph import Graph, Node

WIDTH, HEIGHT = 200, 46
GAP_X, GAP_Y = 64, 16
LANE = 12
"""How much of a column's height a lane takes."""

MARGIN, HEAD = 24, 64
SWEEPS = 6
"""How often the order within the waves is improved."""

Spot: TypeAlias = tuple[int, int]
"""A step as ``(number, wave)``, or a lane of the edges from it as ``(number, a later wave)``."""


class Places(NamedTuple):
    """Where everything stands, in pixels."""

    corners: dict[int, tuple[int, int]]
    """The upper left corner of each step's box."""
    lanes: dict[Spot, tuple[int, int]]
    """The left end of each lane."""
    waves: dict[int, int]
    bottom: int
    """Where the lowest box ends."""

    def through(self, source: int, node: Node) -> Iterator[tuple[int, int, bool]]:
        """The points that an edge goes to, one after the other, and whether each begins a lane."""
        for wave in range(self.waves[source] + 1, node.wave):
            if (source, wave) in self.lanes:
                yield (*self.lanes[source, wave], True)
        left, top = self.corners[node.num]
        yield left, top + HEIGHT // 2, False


def place(graph: Graph, *, bends: bool) -> Places:
    """The places of all steps; with ``bends`` edges that pass waves have lanes."""
    waves = {node.num: node.wave for node in graph.nodes}
    columns: list[list[Spot]] = [[(num, wave) for num in nums] for wave, nums in enumerate(graph.waves)]
    before: dict[Spot, list[Spot]] = {}
    after: dict[Spot, list[Spot]] = {}
    lanes: set[Spot] = set()
    for node in graph.nodes:
        for need in node.needs:
            last = (need.num, waves[need.num])
            for wave in range(waves[need.num] + 1, node.wave) if bends else ():
                lane = (need.num, wave)
                if lane not in lanes:
                    lanes.add(lane)
                    columns[wave].append(lane)
                    _join(before, after, last, lane)
                last = lane
            _join(before, after, last, (node.num, node.wave))
    _sort(columns, before, after)
    return _measured(columns, lanes, waves)


def _join(before: dict[Spot, list[Spot]], after: dict[Spot, list[Spot]], source: Spot, target: Spot) -> None:
    after.setdefault(source, []).append(target)
    before.setdefault(target, []).append(source)


def _sort(columns: list[list[Spot]], before: dict[Spot, list[Spot]], after: dict[Spot, list[Spot]]) -> None:
    """Put each spot near the middle of its neighbours, forward and backward in turn."""
    rows = {spot: float(row) for column in columns for row, spot in enumerate(column)}
    for sweep in range(SWEEPS):
        forward = sweep % 2 == 0
        for column in columns if forward else reversed(columns):
            middle = {}
            for spot in column:
                near = (before if forward else after).get(spot)
                middle[spot] = sum(rows[each] for each in near) / len(near) if near else rows[spot]
            column.sort(key=lambda spot: (middle[spot], spot))
            rows.update({spot: float(row) for row, spot in enumerate(column)})


def _measured(columns: list[list[Spot]], lanes: set[Spot], waves: dict[int, int]) -> Places:
    corners: dict[int, tuple[int, int]] = {}
    ways: dict[Spot, tuple[int, int]] = {}
    bottom = HEAD + MARGIN + HEIGHT
    for index, column in enumerate(columns):
        left, top = MARGIN + index * (WIDTH + GAP_X), HEAD + MARGIN
        for spot in column:
            if spot in lanes:
                ways[spot] = (left, top + LANE // 2 - GAP_Y // 2)
                top += LANE
            else:
                corners[spot[0]] = (left, top)
                bottom = max(bottom, top + HEIGHT)
                top += HEIGHT + GAP_Y
        bottom = max(bottom, top - GAP_Y)
    return Places(corners, ways, waves, bottom)
