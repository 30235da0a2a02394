"""Topics and threads as files: export to Markdown and JSON Lines, import of JSON Lines and of other systems.

* :func:`export_topic`, :func:`export_thread` write to an open binary file; :func:`output` opens one
  that is there whole or not at all.
* :func:`sniff` says what a file is; :func:`import_file` takes an export, :func:`import_agent_bus` the
  database of Agent Bus MCP.
"""

from __future__ import annotations

from hubbub.errors import ImportInvalid
from hubbub.interchange.agent_bus import import_agent_bus
from hubbub.interchange.exporting import export_thread, export_topic
from hubbub.interchange.importing import import_file
from hubbub.interchange.reading import open_file
from hubbub.interchange.records import FORMS, Exported, ImportedTopic, ImportReport, Progress, Writer
from hubbub.interchange.writing import output
from hubbub.text import safe_line

__all__ = [
    "FORMS",
    "Exported",
    "ImportReport",
    "ImportedTopic",
    "Progress",
    "Writer",
    "export_thread",
    "export_topic",
    "import_agent_bus",
    "import_file",
    "output",
    "sniff",
]


def sniff(path: str) -> str:
    """What a file is that someone wants to import: ``hubbub`` (take :func:`import_file`) or ``agent-bus``
    (take :func:`import_agent_bus`).

    Raises:
        ImportInvalid: it is neither, not there, or can't be read.
    """
    with open_file(path) as file:
        start = file.read(16)
    if start.startswith(b"{"):
        return "hubbub"
    if start == b"SQLite format 3\x00":
        return "agent-bus"
    what = "is empty" if not start else "is neither"
    raise ImportInvalid(
        f"{safe_line(path)} {what}: import takes a topic exported as JSON Lines, or the database of "
        "Agent Bus MCP.",
        hint="Export with: hubbub export TOPIC --format jsonl",
    )
