"""Which tools there are, by toolset. The order is fixed: clients cache the list."""

from __future__ import annotations

from hubbub.faces.mcp.agent_tools import REGISTER, UNREGISTER
from hubbub.faces.mcp.mail_tools import MAIL_TOOLS
from hubbub.faces.mcp.tools import Tool

TOOLSETS: dict[str, tuple[Tool, ...]] = {"mail": (REGISTER, *MAIL_TOOLS, UNREGISTER)}
