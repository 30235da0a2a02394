"""The graph as a Mermaid flowchart."""

from __future__ import annotations

from hubbub.drawing.graph import Graph, Node
from hubbub.model_work import Need
from hubbub.text import safe_line

EDGES_MAX = 500
"""Beyond this Mermaid draws nothing unless its ``maxEdges`` is raised."""

CHARACTERS_MAX = 50_000
"""The same for its ``maxTextSize``."""

TITLE_MAX = 60

_PLAIN = frozenset(" .,-_/()")

_CLASSES = {
    "ready": "fill:#ffffff,stroke:#1a7f37,stroke-width:2px,color:#1f2328",
    "not_started": "fill:#f6f8fa,stroke:#8c959f,color:#1f2328",
    "claimed": "fill:#ddf4ff,stroke:#0969da,color:#1f2328",
    "in_progress": "fill:#ddf4ff,stroke:#0969da,stroke-width:2px,color:#1f2328",
    "completed": "fill:#dafbe1,stroke:#1a7f37,color:#1f2328",
    "merged": "fill:#aceebb,stroke:#1a7f37,color:#1f2328",
    "failed": "fill:#ffebe9,stroke:#cf222e,color:#1f2328",
    "parked": "fill:#fff1e5,stroke:#bc4c00,color:#1f2328",
    "cancelled": "fill:#f6f8fa,stroke:#8c959f,color:#6e7781,stroke-dasharray:4",
}


def as_mermaid(graph: Graph) -> str:
    """A flowchart: a box for each step, an arrow from what is needed to what needs it.

    A dotted arrow is an edge whose dependent goes on when what it needs was given up.
    """
    lines = ["flowchart LR"]
    lines += [f"  s{node.num}{_box(node)}" for node in graph.nodes]
    edges = [_edge(need, node.num) for node in graph.nodes for need in node.needs]
    lines += edges
    used = {_class(node) for node in graph.nodes}
    lines += [f"  classDef {name} {style}" for name, style in _CLASSES.items() if name in used]
    text = "\n".join(lines) + "\n"
    notes = [f"%% {_comment(graph.name)}: {len(graph.nodes)} steps"]
    if len(edges) > EDGES_MAX:
        notes.append(f"%% {len(edges)} edges: set maxEdges of Mermaid to at least that")
    if len(text) > CHARACTERS_MAX - 1000:
        notes.append(f"%% {len(text) + 1000} characters: set maxTextSize of Mermaid to at least that")
    return "\n".join(notes) + "\n" + text


def _comment(name: str) -> str:
    # Braces in a comment could begin a directive, in which a file sets options of Mermaid.
    return safe_line(name, 100).replace("{", "(").replace("}", ")")


def _class(node: Node) -> str:
    return "ready" if node.ready else node.status


def _box(node: Node) -> str:
    by = f"<br/>{_escaped(node.agent)}" if node.agent and node.status != "cancelled" else ""
    status = _class(node).replace("_", " ")
    title = _escaped(safe_line(node.title, TITLE_MAX))
    return f'["{node.num} {title}<br/>{status}{by}"]:::{_class(node)}'


def _edge(need: Need, dependent: int) -> str:
    words = [need.until] if need.until != "completed" else []
    words += [f"else {need.on_failure}"] if need.on_failure != "block" else []
    arrow = "-.->" if need.on_failure == "continue" else "-->"
    return f"  s{need.num} {arrow}" + (f"|{', '.join(words)}|" if words else "") + f" s{dependent}"


def _escaped(text: str) -> str:
    """Letters and digits as they are, everything that could mean something to Mermaid as ``#35;``."""
    return "".join(
        letter if letter.isalnum() or letter in _PLAIN else f"#{ord(letter)};" for letter in safe_line(text)
    )
