"""The graph as lines of plain characters."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator

from hubbub.drawing.graph import Graph, Node
from hubbub.text import safe_line

STEPS_SHOWN = 200
"""Up to how many steps each has a line; of more, each wave has one."""

WAVES_SHOWN = 40
NAMED = 8
"""How many steps a line names."""

TITLE_MAX = 80

MARKS = {
    "not_started": " ",
    "claimed": ">",
    "in_progress": ">",
    "completed": "x",
    "merged": "x",
    "failed": "!",
    "parked": "!",
    "cancelled": "-",
}
STYLES = {">": "cyan", "x": "green", "!": "red", "-": "dim"}


def as_text(
    graph: Graph,
    *,
    styled: Callable[[str, str], str] = lambda text, _: text,
    everything: bool = False,
) -> Iterator[str]:
    """The lines: a summary, the waves, and what is in the way.

    Args:
        graph: What is drawn.
        styled: Gives a text a style of ``bold``, ``dim``, ``red``, ``green``, ``yellow`` or ``cyan``.
        everything: Every step has a line, however many they are.
    """
    yield f"{styled(safe_line(graph.name), 'bold')} ({graph.state}): {summary(graph)}"
    if len(graph.chain) > 1:
        yield f"Longest chain of open steps, {len(graph.chain)}: {_chain(graph.chain)}"
    if everything or len(graph.nodes) <= STEPS_SHOWN:
        yield from _steps(graph, styled)
    else:
        yield from _waves(graph, styled)
    yield from _in_the_way(graph, styled)


def summary(graph: Graph) -> str:
    """How many steps and waves there are, and how far they are."""
    statuses = Counter(node.status for node in graph.nodes)
    ready = sum(node.ready for node in graph.nodes)
    parts = {
        "done": statuses["completed"] + statuses["merged"],
        "in hand": statuses["claimed"] + statuses["in_progress"],
        "ready": ready,
        "waiting": statuses["not_started"] - ready,
        "failed": statuses["failed"],
        "parked": statuses["parked"],
        "cancelled": statuses["cancelled"],
    }
    told = [_plural(len(graph.nodes), "step"), _plural(len(graph.waves), "wave")]
    return ", ".join([*told, *(f"{count} {word}" for word, count in parts.items() if count)])


def _plural(count: int, word: str) -> str:
    return f"{count} {word}" if count == 1 else f"{count} {word}s"


def _steps(graph: Graph, styled: Callable[[str, str], str]) -> Iterator[str]:
    by_num = graph.by_num
    width = len(str(max(by_num, default=0)))
    on_chain = set(graph.chain) if len(graph.chain) > 1 else set()
    for index, wave in enumerate(graph.waves, 1):
        yield f"Wave {index}"
        for num in wave:
            node = by_num[num]
            mark = MARKS[node.status]
            box = styled(f"[{mark}]", STYLES[mark]) if mark in STYLES else f"[{mark}]"
            star = "*" if num in on_chain else " "
            needs = f" <- {_numbers([need.num for need in node.needs])}"
            yield (
                f" {star}{box} {num:>{width}}  {safe_line(node.title, TITLE_MAX)}"
                f"{styled(needs, 'dim') if node.needs else ''}  {styled(_says(node), 'dim')}"
            )
    if on_chain:
        yield "* on the longest chain of open steps; <- needs"


def _says(node: Node) -> str:
    if node.ready:
        return "ready"
    if node.unmet:
        return f"waits for {_numbers(list(node.unmet))}"
    if node.status == "not_started":
        return node.status
    by = f" by {safe_line(node.agent)}" if node.agent and node.status != "cancelled" else ""
    return f"{node.status}{by}"


def _waves(graph: Graph, styled: Callable[[str, str], str]) -> Iterator[str]:
    """A line for each wave: too many steps to list."""
    by_num = graph.by_num
    closed = 0
    while closed < len(graph.waves) and not any(by_num[num].open for num in graph.waves[closed]):
        closed += 1
    if closed:
        count = sum(map(len, graph.waves[:closed]))
        which = "Wave 1" if closed == 1 else f"Waves 1 to {closed}"
        yield f"{which}: {_plural(count, 'step')}, nothing left to do"
    shown = graph.waves[closed : closed + WAVES_SHOWN]
    for index, wave in enumerate(shown, closed + 1):
        nodes = [by_num[num] for num in wave]
        counts = Counter("ready" if node.ready else node.status for node in nodes)
        told = ", ".join(f"{count} {word.replace('_', ' ')}" for word, count in counts.most_common())
        yield f"Wave {index}: {_plural(len(nodes), 'step')}: {told}"
        for title, style, chosen in (
            ("in hand", "cyan", [node.num for node in nodes if MARKS[node.status] == ">"]),
            ("given up", "red", [node.num for node in nodes if MARKS[node.status] == "!"]),
            ("ready", "bold", [node.num for node in nodes if node.ready]),
        ):
            if chosen:
                yield f"  {styled(title, style)}: {_numbers(chosen)}"
    rest = graph.waves[closed + WAVES_SHOWN :]
    if rest:
        yield f"and {_plural(len(rest), 'more wave')} with {_plural(sum(map(len, rest)), 'step')}"


def _in_the_way(graph: Graph, styled: Callable[[str, str], str]) -> Iterator[str]:
    if not graph.holds_up:
        return
    by_num = graph.by_num
    yield "In the way of most:"
    for num, count in list(graph.holds_up.items())[:NAMED]:
        node = by_num[num]
        mark = MARKS[node.status]
        status = styled(node.status, STYLES[mark]) if mark in STYLES else node.status
        yield f"  {num} {safe_line(node.title, 60)} ({status}) holds up {_plural(count, 'step')}"


def _numbers(nums: list[int]) -> str:
    shown = ", ".join(map(str, nums[:NAMED]))
    return shown + (f" and {len(nums) - NAMED} more" if len(nums) > NAMED else "")


def _chain(nums: tuple[int, ...]) -> str:
    if len(nums) <= 2 * NAMED:
        return " -> ".join(map(str, nums))
    return " -> ".join([*map(str, nums[:NAMED]), "...", *map(str, nums[-NAMED:])])
