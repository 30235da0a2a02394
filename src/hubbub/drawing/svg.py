"""The graph as an SVG picture: one file that needs no other, without scripts, light or dark as the reader's
screen is."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from html import escape
from itertools import islice
from unicodedata import east_asian_width

from hubbub.drawing.graph import Graph, Node
from hubbub.drawing.places import GAP_X, GAP_Y, HEAD, HEIGHT, MARGIN, WIDTH, Places, place
from hubbub.drawing.terminal import summary
from hubbub.text import safe_line

READABLE_MAX = 200
"""Above this many steps the picture says that it is hard to read."""

STEPS_MAX = 2000
"""Above this many it has a box for each wave instead of one for each step."""

EDGES_MAX = 20_000
WAVES_IN_ROW = 10

WIDTH_MIN = 840
"""Room for the head and the legend."""

TITLE_CELLS = 26
LEGEND = (
    "ready",
    "not started",
    "claimed",
    "in progress",
    "completed",
    "merged",
    "failed",
    "parked",
    "cancelled",
)

_LIGHT = {
    "ready": ("#ffffff", "#1a7f37"),
    "not_started": ("#f6f8fa", "#8c959f"),
    "claimed": ("#ddf4ff", "#0969da"),
    "in_progress": ("#b6e3ff", "#0969da"),
    "completed": ("#dafbe1", "#1a7f37"),
    "merged": ("#aceebb", "#1a7f37"),
    "failed": ("#ffebe9", "#cf222e"),
    "parked": ("#fff1e5", "#bc4c00"),
    "cancelled": ("#f6f8fa", "#afb8c1"),
}
_DARK = {
    "ready": ("#0d1117", "#3fb950"),
    "not_started": ("#161b22", "#6e7681"),
    "claimed": ("#0c2d6b", "#58a6ff"),
    "in_progress": ("#0d419d", "#58a6ff"),
    "completed": ("#033a16", "#3fb950"),
    "merged": ("#0f5323", "#56d364"),
    "failed": ("#67060c", "#ff7b72"),
    "parked": ("#5a1e02", "#ffa657"),
    "cancelled": ("#161b22", "#484f58"),
}


def as_svg(graph: Graph) -> str:
    """The picture: waves from left to right, a box for each step, a curve from what is needed to what needs
    it; thick on the longest chain of open steps."""
    if len(graph.nodes) > STEPS_MAX:
        count = len(graph.waves)
        right, bottom = _grid(min(count, WAVES_IN_ROW) - 1, -(-count // WAVES_IN_ROW) - 1)
        return _picture(graph, right + WIDTH, bottom + HEIGHT, _wave_boxes(graph))
    places = place(graph, bends=len(graph.nodes) <= READABLE_MAX)
    right = max((left for left, _ in places.corners.values()), default=MARGIN) + WIDTH
    return _picture(graph, right, places.bottom, _boxes(graph, places))


def _grid(column: int, row: int) -> tuple[int, int]:
    return MARGIN + column * (WIDTH + GAP_X), HEAD + MARGIN + row * (HEIGHT + GAP_Y)


def _boxes(graph: Graph, places: Places) -> Iterator[str]:
    steps = set(zip(graph.chain, graph.chain[1:], strict=False))
    edges = ((need, node) for node in graph.nodes for need in node.needs)
    for need, node in islice(edges, EDGES_MAX):
        name = "edge chain" if (need.num, node.num) in steps else "edge"
        name += " merged-only" if need.until == "merged" else ""
        path = _curve(places, need.num, node)
        yield f'<path class="{name}" marker-end="url(#arrow)" d="{path}"/>'
    chain = set(graph.chain) if len(graph.chain) > 1 else set()
    for node in graph.nodes:
        yield from _box(node, places.corners[node.num], node.num in chain)


def _curve(places: Places, source: int, node: Node) -> str:
    """From the right side of one box to the left side of another, between the boxes of the waves passed."""
    left, top = places.corners[source]
    x, y = left + WIDTH, top + HEIGHT // 2
    path = f"M{x},{y}"
    for to_x, to_y, through in places.through(source, node):
        bend = max(GAP_X // 2, (to_x - x) // 2)
        path += f" C{x + bend},{y} {to_x - bend},{to_y} {to_x},{to_y}"
        path += f" H{to_x + WIDTH}" if through else ""
        x, y = to_x + (WIDTH if through else 0), to_y
    return path


def _box(node: Node, corner: tuple[int, int], on_chain: bool) -> Iterator[str]:
    left, top = corner
    kind = "ready" if node.ready else node.status
    by = f" by {node.agent}" if node.agent and node.status != "cancelled" else ""
    waits = f"waits for {', '.join(map(str, node.unmet[:6]))}" if node.unmet else kind.replace("_", " ")
    waits += " ..." if len(node.unmet) > 6 else ""
    yield f'<g class="step {kind}{" on-chain" if on_chain else ""}">'
    yield f"<title>{_text(f'{node.num} {node.title}: {kind}{by}')}</title>"
    yield f'<rect x="{left}" y="{top}" width="{WIDTH}" height="{HEIGHT}" rx="6"/>'
    yield f'<text x="{left + 10}" y="{top + 19}">{_text(_cut(f"{node.num}  {node.title}"))}</text>'
    yield f'<text class="small" x="{left + 10}" y="{top + 36}">{_text(_cut(waits + by, 32))}</text></g>'


def _wave_boxes(graph: Graph) -> Iterator[str]:
    by_num = graph.by_num
    for column, wave in enumerate(graph.waves):
        left, top = _grid(column % WAVES_IN_ROW, column // WAVES_IN_ROW)
        counts = Counter("ready" if by_num[num].ready else by_num[num].status for num in wave)
        kind = "merged" if all(not by_num[num].open for num in wave) else "not_started"
        told = ", ".join(f"{count} {word.replace('_', ' ')}" for word, count in counts.most_common())
        yield f'<g class="step {kind}"><title>{_text(told)}</title>'
        yield f'<rect x="{left}" y="{top}" width="{WIDTH}" height="{HEIGHT}" rx="6"/>'
        yield f'<text x="{left + 10}" y="{top + 19}">Wave {column + 1}: {len(wave)} steps</text>'
        yield f'<text class="small" x="{left + 10}" y="{top + 36}">{_text(_cut(told, 32))}</text></g>'


def _picture(graph: Graph, right: int, bottom: int, boxes: Iterator[str]) -> str:
    width = max(right + MARGIN, WIDTH_MIN)
    height = bottom + 2 * MARGIN + 16
    name = _text(safe_line(graph.name, 100))
    told = _text(f"{graph.state}: {summary(graph)}")
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" '
        f'height="{height}" role="img" aria-labelledby="name about">',
        f'<title id="name">{name}</title><desc id="about">{told}</desc>',
        f"<style>{_style()}</style>",
        '<defs><marker id="arrow" viewBox="0 0 8 8" refX="8" refY="4" markerWidth="9" markerHeight="9" '
        'markerUnits="userSpaceOnUse" orient="auto">'
        '<path class="head" d="M0,0 L8,4 L0,8 z"/></marker></defs>',
        f'<rect class="ground" width="{width}" height="{height}"/>',
        f'<text class="name" x="{MARGIN}" y="34">{name}</text>',
        f'<text class="small" x="{MARGIN}" y="54">{told}</text>',
        *(
            [f'<text class="small" x="{MARGIN}" y="72">{_text(notice)}</text>']
            if (notice := _notice(graph))
            else []
        ),
        *boxes,
        *_legend(height - MARGIN),
        "</svg>",
    ]
    return "\n".join(lines) + "\n"


def _notice(graph: Graph) -> str:
    """What to say of a picture that is too large to be read."""
    count = len(graph.nodes)
    if count > STEPS_MAX:
        return f"{count} steps are too many for a box each: here is one for each wave. As text: step graph"
    if count <= READABLE_MAX:
        return ""
    edges = sum(len(node.needs) for node in graph.nodes)
    told = f"{count} steps are hard to read as a picture; as text: step graph"
    return told + (f"; only {EDGES_MAX} of {edges} edges are drawn" if edges > EDGES_MAX else "")


def _legend(bottom: int) -> Iterator[str]:
    left = MARGIN
    for word in LEGEND:
        yield f'<g class="step {word.replace(" ", "_")}">'
        yield f'<rect x="{left}" y="{bottom - 10}" width="12" height="12" rx="3"/></g>'
        yield f'<text class="small" x="{left + 18}" y="{bottom}">{word}</text>'
        left += 32 + 7 * len(word)


def _style() -> str:
    rules = [
        "text{font:13px system-ui,sans-serif;fill:#1f2328}",
        "text.name{font-size:18px;font-weight:600}",
        "text.small{font-size:11px;fill:#59636e}",
        ".ground{fill:#ffffff}",
        ".edge{fill:none;stroke:#8c959f;stroke-width:1.2}",
        ".head{fill:#8c959f}",
        ".edge.chain{stroke-width:3}",
        ".edge.merged-only{stroke-dasharray:5 3}",
        ".on-chain rect{stroke-width:3}",
        ".cancelled text{text-decoration:line-through}",
        *_colours(_LIGHT),
        "@media (prefers-color-scheme:dark){",
        "text{fill:#e6edf3}",
        "text.small{fill:#9198a1}",
        ".ground{fill:#0d1117}",
        ".edge{stroke:#6e7681}",
        ".head{fill:#6e7681}",
        *_colours(_DARK),
        "}",
    ]
    return "\n".join(rules)


def _colours(colours: dict[str, tuple[str, str]]) -> Iterator[str]:
    for name, (fill, stroke) in colours.items():
        yield f".{name} rect{{fill:{fill};stroke:{stroke}}}"


def _text(text: str) -> str:
    """``text`` as XML takes it: escaped, and without the characters that XML knows not even escaped."""
    return escape(safe_line(text).replace("\ufffe", "\ufffd").replace("\uffff", "\ufffd"))


def _cut(text: str, cells: int = TITLE_CELLS) -> str:
    """The beginning of a text that takes at most ``cells`` cells, two for a wide letter."""
    text = safe_line(text)
    left = cells
    for end, letter in enumerate(text):
        left -= 2 if east_asian_width(letter) in "WF" else 1
        if left < 0:
            return text[: max(0, end - 1)] + "…"
    return text
