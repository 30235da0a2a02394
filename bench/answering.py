"""The least that an MCP server with durable messages does: each tool call is one synced commit and one line.

``python -m bench.answering PATH``, with PATH a database of :func:`bench.bare.make`.
"""

from __future__ import annotations

import json
import sys
from typing import Any

from bench.bare import commits

TOOL = {"name": "sync", "description": "Commits.", "inputSchema": {"type": "object"}}


def main(path: str) -> None:
    """Answer until the input ends."""
    with commits(path, 1, queued=True) as commit:
        for line in sys.stdin:
            request = json.loads(line)
            if "id" not in request:
                continue
            result: dict[str, Any] = {}
            if request["method"] == "initialize":
                result = {
                    "protocolVersion": request["params"]["protocolVersion"],
                    "capabilities": {"tools": {}},
                    "serverInfo": {"name": "answering", "version": "0"},
                }
            elif request["method"] == "tools/list":
                result = {"tools": [TOOL]}
            elif request["method"] == "tools/call":
                commit()
                result = {"content": [{"type": "text", "text": "Committed."}]}
            answer = {"jsonrpc": "2.0", "id": request["id"], "result": result}
            sys.stdout.write(json.dumps(answer) + "\n")
            sys.stdout.flush()


if __name__ == "__main__":
    main(sys.argv[1])
