"""Which tools there are, by toolset. The order is fixed: clients cache the list."""

from __future__ import annotations

from hubbub.faces.mcp.agent_tools import REGISTER, UNREGISTER
from hubbub.faces.mcp.asking_tools import ASKING_TOOLS
from hubbub.faces.mcp.mail_tools import MAIL_TOOLS
from hubbub.faces.mcp.reading_tools import READ_THREAD
from hubbub.faces.mcp.search_tools import SEARCH
from hubbub.faces.mcp.tools import Tool
from hubbub.faces.mcp.topic_tools import TOPIC_TOOLS
from hubbub.faces.mcp.work_tools import WORK_TOOLS

TOOLSETS: dict[str, tuple[Tool, ...]] = {
    "mail": (REGISTER, *MAIL_TOOLS, *ASKING_TOOLS, UNREGISTER),
    "topics": (REGISTER, *TOPIC_TOOLS, READ_THREAD, SEARCH, UNREGISTER),
    "work": (REGISTER, *WORK_TOOLS, UNREGISTER),
}


def tools_of(*names: str) -> tuple[Tool, ...]:
    """The tools of these toolsets, each once; of all, when none is named."""
    chosen = [tool for name, tools in TOOLSETS.items() if not names or name in names for tool in tools]
    return tuple({tool.name: tool for tool in chosen}.values())


ALL_TOOLS = tools_of()
