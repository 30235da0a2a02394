"""Pictures of a project: what waits for what, as text, as Mermaid and as SVG.

Pure functions of records: they read no bus and write no file.
"""

from __future__ import annotations

from hubbub.drawing.graph import Graph, Node, graph_of
from hubbub.drawing.mermaid import as_mermaid
from hubbub.drawing.svg import as_svg
from hubbub.drawing.terminal import as_text

FORMS = ("text", "mermaid", "svg")

__all__ = ["FORMS", "Graph", "Node", "as_mermaid", "as_svg", "as_text", "graph_of"]
