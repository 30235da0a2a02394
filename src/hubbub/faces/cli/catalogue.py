"""Which commands there are, in the groups and the order that the help shows."""

from __future__ import annotations

PACKAGE = "hubbub.faces.cli."


class Command:
    """A command: the function that runs it, its line in the help, and an example."""

    __slots__ = ("example", "function", "module", "summary")

    def __init__(self, module: str, function: str, summary: str, example: str) -> None:
        self.module = PACKAGE + module
        self.function = function
        self.summary = summary
        self.example = example


_C = Command

GROUPS: dict[str, dict[str, Command]] = {
    "Mail": {
        "send": _C(
            "commands.mail", "send", "send a message", "hubbub send bob 'The parser is done.' -k status"
        ),
        "receive": _C(
            "commands.receiving",
            "receive",
            "take the waiting messages",
            "hubbub receive --wait 30 --kind task",
        ),
        "reply": _C(
            "commands.mail", "reply", "answer a message, which settles it", "hubbub reply m1abcde @result.md"
        ),
        "ack": _C("commands.mail", "ack", "settle messages, or give them back", "hubbub ack m1abcde"),
        "peek": _C("commands.receiving", "peek", "look at an inbox, change nothing", "hubbub peek --limit 3"),
        "thread": _C("commands.look", "thread", "read a conversation", "hubbub thread m1abcde"),
        "log": _C("commands.ledger", "log", "what happened: the ledger", "hubbub log --since 10m --follow"),
        "who": _C("commands.look", "who", "the agents, and who is online", "hubbub who --online"),
        "status": _C(
            "commands.status", "status", "the bus, one agent, or where a message is", "hubbub status m1abcde"
        ),
        "dead": _C("commands.dead", "dead", "messages that nobody could settle", "hubbub dead retry m1abcde"),
    },
    "The bus": {
        "register": _C(
            "commands.agents",
            "register",
            "make an agent known, or change it",
            "hubbub register bob --description 'Reviews pull requests'",
        ),
        "unregister": _C(
            "commands.agents", "unregister", "take an agent off the bus", "hubbub unregister bob"
        ),
        "backup": _C(
            "commands.care", "backup", "copy the bus while it is in use", "hubbub backup before-move.db"
        ),
        "mcp": _C("launch", "mcp", "serve one agent over MCP on stdio", "hubbub mcp --as bob"),
        "demo": _C("launch", "demo", "see agents exchange work, and a crash lose nothing", "hubbub demo"),
    },
    "Clients": {
        "doctor": _C(
            "commands.doctor", "doctor", "check the bus and its surroundings", "hubbub doctor --fix"
        ),
        "completion": _C(
            "completion",
            "completion",
            "print a shell's completion script",
            'eval "$(hubbub completion bash)"',
        ),
    },
}

HIDDEN: dict[str, Command] = {
    "complete-names": _C("completion", "complete_names", "the agents' names, for completion", ""),
}

COMMANDS: dict[str, Command] = {name: command for group in GROUPS.values() for name, command in group.items()}


def find(name: str) -> Command | None:
    """The command of that name, hidden ones included."""
    return COMMANDS.get(name) or HIDDEN.get(name)


def overview() -> str:
    """The text of ``hubbub --help``."""
    lines = [
        "Hubbub: one message bus for coding agents.",
        "",
        "Usage: hubbub [--bus URL] [--as NAME] [--json] [--no-color] COMMAND ...",
    ]
    for title, group in GROUPS.items():
        lines += ["", f"{title}:"]
        lines += [f"  {name:<12}{command.summary}" for name, command in group.items()]
    lines += [
        "",
        "Options, before or after the command:",
        "  --bus URL     the bus to use; else HUBBUB_BUS, .hubbub.toml, this git repository's, or your own",
        "  --as NAME     the agent to act for; else HUBBUB_AGENT",
        "  --json        answer in JSON, errors too",
        "  --no-color    plain text on a terminal, too",
        "  --version     print the version",
        "",
        "Examples:",
        "  hubbub send bob 'Please review branch fix-42' --kind review_request",
        "  hubbub receive --wait",
        "",
        "Exit status: 0 done, 1 failed, 2 usage, 3 not found, 4 timed out or nothing there,",
        "5 wrong context, 6 a person must act. More: hubbub COMMAND --help",
    ]
    return "\n".join(lines)
