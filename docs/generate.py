"""Writes the reference pages that follow from the code: ``python docs/generate.py`` (or ``make docs``).

A test compares the pages with what this writes, so that they can't go stale.
"""

from __future__ import annotations

import inspect
import os
import sys
from typing import Any

from hubbub import errors
from hubbub.bus import agents, checking, mail
from hubbub.faces.cli import catalogue, failures
from hubbub.faces.cli.arguments import build_parser
from hubbub.faces.mcp import mail_tools
from hubbub.faces.mcp.resources import RESOURCES, TEMPLATES
from hubbub.faces.mcp.tools import Tool
from hubbub.faces.mcp.toolsets import ALL_TOOLS, TOOLSETS
from hubbub.model import MESSAGE_BYTES_CEILING

_YEAR = mail.WEEK_SECONDS * 52
_ENFORCED: dict[str, str] = {
    "acknowledge.ids": "up to 1,000",
    "acknowledge.release": "up to 1,000",
    "acknowledge.delay_seconds": f"from 0 to {mail.WEEK_SECONDS:,}",
    "list_topics.match": "characters up to 128",
    "read_thread.limit": f"from 1 to {mail.LIMIT_MAX:,} (20)",
    "receive_messages.limit": f"maximum {mail.LIMIT_MAX:,}",
    "receive_messages.wait_seconds": "minimum 0",
    "list_pending.reason": "characters up to 1,000",
    "ping_agent.timeout_seconds": "from 0.001 to 45 (5)",
    "request.body": f"as of `send_message`; up to {MESSAGE_BYTES_CEILING >> 20} MiB",
    "request.reply_within_seconds": f"from 1 to {_YEAR:,}",
    "request.subject": f"characters up to {checking.SUBJECT_MAX}",
    "request.to": "one agent, not oneself",
    "request.wait_seconds": "minimum 0 (45)",
    "send_message.reply_within_seconds": f"from 1 to {_YEAR:,}",
    "register_agent.description": f"characters up to {checking.DESCRIPTION_MAX:,}",
    "register_agent.inbox_limit": f"from 1 to {agents.INBOX_LIMIT_MAX:,}",
    "send_message.body": f"not empty; up to {MESSAGE_BYTES_CEILING >> 20} MiB with subject and metadata, "
    "and what the recipient takes (1 MiB)",
    "send_message.subject": f"characters up to {checking.SUBJECT_MAX}",
    "send_message.thread": f"characters up to {checking.THREAD_MAX}",
    "send_message.to": f"up to {checking.RECIPIENTS_MAX:,}",
    "send_message.ttl_seconds": f"from 0.001 to {_YEAR:,}",
    "send_message.wait_for_room_seconds": f"from 0 to {mail_tools.WAIT_MAX:g}",
}
"""Bounds that hold although no schema tells them: a model pays for each word of a schema."""

FOLDER = os.path.join(os.path.dirname(os.path.abspath(__file__)), "reference")
_GLOBAL = (("--bus",), ("--as",), ("--json",), ("--no-color",))
NOTE = "<!-- Written by docs/generate.py from the code; change the code, then run: make docs -->\n\n"


ERRORS_INTRODUCTION = """
Every face shows the same code, message and hint. A program may rely on the code and on the exit status;
the wording of a message may change. Over MCP an error is a tool result with `isError`, its text begins
with the code, and `structuredContent.error` holds the same; with `--json` the command line prints
`{"error": {...}}`.

| exit status | meaning |
|---|---|
| 0 | done |
| 1 | failed |
| 2 | the request can't be meant |
| 3 | not found |
| 4 | timed out, or nothing there |
| 5 | wrong context: who asks, or from where |
| 6 | a person must act |

| code | exit | meaning | next step |
|---|---|---|---|
"""

TOOLS_INTRODUCTION = """
`hubbub mcp` serves one agent on standard input and output, in both eras of the protocol: the
`initialize` handshake (2024-11-05 to 2025-11-25) and 2026-07-28. `--era legacy` speaks only the first.

- A tool that waits answers within 45 s, reports progress every 15 s to a client that gave a progress
  token, obeys cancellation at once, and holds up no other call.
- What one `receive_messages` or `sync` handed out is settled by the first call that the client began
  after it had the answer. A call that is cancelled before its answer is out gives back what it took,
  also a claim; a later cancellation changes nothing. What a server that was killed had handed out comes
  again, marked. `ack="explicit"` of `receive_messages` and `auto_advance=false` of `sync` turn this off.
- `--tools` picks toolsets, with commas between; without it all are offered. The order is fixed.
- `outbox` of `sync` takes a list of messages; one object, a plain text, and either written as JSON text
  are taken for what they can only mean.
- A topic is named by its name, with or without `#`, or its id. `read_thread` takes a topic as `#NAME`,
  by its id, or by its bare name where no thread of the mail has it, and a message's id
  for the thread of replies that it is in. A topic is read from its start,
  from `after`, back from `before`, or with `newest` from its end.
- An answer that brings nothing says in which of the ten topics that were active last something is unread,
  closed ones included. `list_topics` without a `state` lists the open ones, and as `closed_unread` those
  closed ones in which you have something to read.
- A wait longer than 45 s is cut to that, and the answer says so.
- Names that Agent Bus MCP has for fields and arguments are taken (`content_markdown`, `message_type`,
  `client_message_id`, `max_items`); its tools that have another name here are refused with that name.
- `request` sends and waits for the answer, up to 45 s. An answer in time is handed out there and nowhere
  else, and is settled as what `receive_messages` hands out. One that comes later is in the inbox, also after
  a cancelled call and after the death of the server. The same `idempotency_key` waits on for the same
  request. See [pending answers](pending.md).
- The server answers pings itself, whatever its calls are doing: `ping_agent` tells how long the model has
  called nothing, or what it is calling.
- Answers of `receive_messages` count what is unread in `#all`: announcements wake nobody.
- `as_agent` acts for another name that this server registered, so that sub-agents can share a server.
- The tools of work take a step by its id or as `PROJECT/NUMBER`. Tokens of claims are kept by the server:
  `start_step`, `heartbeat`, `complete_step`, `fail_step` and `release_step` are about the step that they
  name, else about the only claim of the agent. After a restart the server finds them again.
- Some arguments are taken but not listed to models, to keep the list short; answers
  name them where they are of use. Here they are marked.
- `steps` takes a list of steps; one object, and either written as JSON text, are taken for what they can only
  mean. A step has `title`, `num`, `instructions`, `acceptance`, `branch`, `scope`, `paths`, `resources`,
  `priority`, `needs`, `max_attempts`, `time_limit` (seconds) and `metadata`; `step_num` and `depends_on` are
  taken, too. `needs` lists numbers, or objects with `num`, `until` (`completed` or `merged`) and `on_failure`
  (`block`, `cancel` or `continue`).
- `update_project` changes steps one after the other: `{step_id, cancel: true}` (or a reason), or `step_id`
  with new values of a step's fields; `needs` is then all that the step needs.
- Results carry a text and the same as `structuredContent`, always an object. Bodies stand between
  marks that their writers could not know, control characters are replaced, long lines are broken, and
  bodies over 40,000 characters come in parts (`body_next_offset`, `read_thread` with `offset`); so do the
  texts of steps (`instructions_next_offset` and the like, `get_step` with `field` and `offset`).
"""


def errors_page() -> str:
    """Every error: its code, exit status, meaning and next step."""
    lines = ["# Errors", "", NOTE.rstrip(), "", *ERRORS_INTRODUCTION.strip().splitlines()]
    own = [
        value
        for value in vars(failures).values()
        if _is_error(value) and value.__module__ == failures.__name__
    ]
    for error in [*errors.all_errors(), *own]:
        meaning = " ".join((inspect.getdoc(error) or "").split())
        lines.append(f"| `{error.code}` | {error.exit_status} | {meaning} | {error.default_hint} |")
    lines += [
        "",
        "Where the next step is empty it depends on the case, and the error says it.",
        "",
    ]
    return "\n".join(lines)


def _is_error(value: object) -> bool:
    return isinstance(value, type) and issubclass(value, errors.HubbubError)


def tools_page() -> str:
    """Every tool and resource of the MCP server."""
    lines = ["# Tools over MCP", "", NOTE.rstrip(), "", *TOOLS_INTRODUCTION.strip().splitlines(), ""]
    lines += ["| toolset | tools |", "|---|---|"]
    for name, tools in TOOLSETS.items():
        lines.append(f"| `{name}` | {', '.join(f'`{tool.name}`' for tool in tools)} |")
    lines.append("")
    for tool in ALL_TOOLS:
        lines += _tool(tool)
    lines += ["## Resources", "", "Read without a tool call; changes are told to clients that subscribe.", ""]
    lines += [f"- `{resource['uri']}`: {resource['description']}" for resource in RESOURCES]
    lines += [f"- `{template['uriTemplate']}`: {template['description']}" for template in TEMPLATES]
    return "\n".join(lines) + "\n"


def _tool(tool: Tool) -> list[str]:
    lines = [f"## {tool.name}", "", tool.description, ""]
    if tool.parameters or tool.unlisted:
        lines += ["| argument | type | |", "|---|---|---|"]
    for name, schema in {**tool.parameters, **dict(tool.unlisted)}.items():
        field = _field(name, schema, name in tool.required, name in tool.parameters)
        lines.append(_with(field, _enforced(tool.name, name)))
        for inner, inner_schema in schema.get("items", {}).get("properties", {}).items():
            lines.append(
                _field(f"{name}[].{inner}", inner_schema, inner in schema["items"].get("required", ()))
            )
    return [*lines, ""]


def _enforced(tool: str, argument: str) -> str:
    if argument == "idempotency_key":
        return f"characters up to {checking.KEY_MAX}"
    return _ENFORCED.get(f"{tool}.{argument}", "")


def _with(row: str, bound: str) -> str:
    """A row of a table with one more note in its last cell."""
    if not bound:
        return row
    before = row.removesuffix("|").rstrip()
    return f"{before} {bound} |" if before.endswith("|") else f"{before}; {bound} |"


def _field(name: str, schema: dict[str, Any], required: bool, listed: bool = True) -> str:
    notes = [schema.get("description", ""), "" if listed else "not listed"]
    if "enum" in schema:
        notes.append("one of " + ", ".join(f"`{word}`" for word in schema["enum"]))
    limits = {
        "minimum": "minimum",
        "maximum": "maximum",
        "maxLength": "characters up to",
        "maxItems": "up to",
    }
    notes += [f"{words} {int(schema[limit]):,}" for limit, words in limits.items() if limit in schema]
    if schema["type"] == "string" and schema.get("minLength"):
        notes.append("not empty")
    needed = " (required)" if required else ""
    return f"| `{name}`{needed} | {schema['type']} | {'; '.join(note for note in notes if note)} |"


def commands_page() -> str:
    """The help of every command."""
    lines = ["# Commands", "", NOTE.rstrip(), "", "```text", catalogue.overview().rstrip(), "```", ""]
    for commands in catalogue.GROUPS.values():
        for name in commands:
            lines += _command(name, commands[name])
    return "\n".join(lines)


def _command(name: str, command: catalogue.Command) -> list[str]:
    """A command's words and options, from its parser; argparse's own layout differs between Pythons."""
    summary = command.summary[0].upper() + command.summary[1:]
    lines = [f"## hubbub {name}", "", f"{summary}. For example: `{command.example}`", ""]
    own: list[Any] = [action for action in build_parser(name)._actions if action.dest != "help"]
    shared = {option for group in _GLOBAL for option in group}
    shown = [action for action in own if not shared & set(action.option_strings)]
    if shown:
        lines += ["| argument | meaning |", "|---|---|"]
    for action in shown:
        value = action.metavar or ("" if action.nargs == 0 else action.dest.upper())
        names = ", ".join(action.option_strings) or value
        if action.option_strings and value:
            names += f" {value}"
        notes = " ".join((action.help or "").replace("%%", "%").split()).replace("|", "\\|")
        if action.choices:
            notes += f" ({', '.join(map(str, action.choices))})"
        lines.append(f"| `{names}` | {notes} |")
    return [*lines, ""] if shown else lines


PAGES = {"errors.md": errors_page, "tools.md": tools_page, "commands.md": commands_page}


def main() -> int:
    """Write all pages."""
    for name, page in PAGES.items():
        with open(os.path.join(FOLDER, name), "w", encoding="utf-8") as file:
            file.write(page())
        print(f"wrote docs/reference/{name}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
