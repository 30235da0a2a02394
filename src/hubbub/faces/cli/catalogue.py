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
    "Topics": {
        "topic list": _C("commands.topic", "list_", "the topics, and what is unread", "hubbub topic list"),
        "topic show": _C("commands.topic", "show", "one topic", "hubbub topic show review"),
        "topic create": _C(
            "commands.topic",
            "create",
            "make a topic, or join the one of that name",
            "hubbub topic create review",
        ),
        "topic join": _C(
            "commands.topic", "join", "become a member", "hubbub topic join review --from latest"
        ),
        "topic leave": _C("commands.topic", "leave", "be a member no longer", "hubbub topic leave review"),
        "topic members": _C(
            "commands.topic",
            "members",
            "who is in a topic, and how far each has read",
            "hubbub topic members review",
        ),
        "topic read": _C(
            "commands.topic_read",
            "read",
            "read a topic's messages; moves no cursor",
            "hubbub topic read review --last 5",
        ),
        "topic reset": _C(
            "commands.topic",
            "reset",
            "go on reading from another place",
            "hubbub topic reset review start",
        ),
        "topic close": _C(
            "commands.topic",
            "close",
            "close a topic: it can be read, not posted to",
            "hubbub topic close review --reason 'Merged.'",
        ),
        "topic reopen": _C("commands.topic", "reopen", "undo a close", "hubbub topic reopen review"),
        "topic rename": _C(
            "commands.topic", "rename", "give a topic another name", "hubbub topic rename review review-42"
        ),
        "topic delete": _C(
            "commands.topic", "delete", "remove a topic and its messages", "hubbub topic delete review"
        ),
        "sync": _C(
            "commands.sync",
            "sync",
            "post to a topic and take what is new in it",
            "hubbub sync review --post 'Looks good.' --wait 30",
        ),
        "watch": _C("commands.watch", "watch", "see messages as they come", "hubbub watch review --last 3"),
        "search": _C(
            "commands.search",
            "search",
            "find messages in topics and mail",
            "hubbub search peer_server.py --topic review",
        ),
        "export": _C(
            "commands.interchange",
            "export",
            "write a topic or a thread to a file",
            "hubbub export review -o review.md",
        ),
        "import": _C(
            "commands.interchange",
            "import_",
            "fill topics from an export or an Agent Bus database",
            "hubbub import review.jsonl",
        ),
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
    "complete-topics": _C("completion", "complete_topics", "the topics' names, for completion", ""),
}

COMMANDS: dict[str, Command] = {name: command for group in GROUPS.values() for name, command in group.items()}


FAMILIES = {"topic": "topic list"}
"""Words that take another one to name a command, and the command that each is alone."""


def family(word: str) -> dict[str, Command]:
    """The commands that begin with ``word``, by their second word."""
    return {
        name.partition(" ")[2]: command
        for name, command in COMMANDS.items()
        if name.startswith(word + " ") and word in FAMILIES
    }


def find(name: str) -> Command | None:
    """The command of that name, hidden ones included."""
    return COMMANDS.get(name) or HIDDEN.get(name)


def family_overview(word: str) -> str:
    """The text of ``hubbub topic --help``."""
    lines = [
        f"Usage: hubbub {word} ACTION ...",
        "",
        *(f"  {action:<9}{command.summary}" for action, command in family(word).items()),
        "",
        f"Without an action: {FAMILIES[word]}. More: hubbub {word} ACTION --help",
    ]
    return "\n".join(lines)


def overview() -> str:
    """The text of ``hubbub --help``."""
    lines = [
        "Hubbub: one message bus for coding agents.",
        "",
        "Usage: hubbub [--bus URL] [--as NAME] [--json] [--no-color] COMMAND ...",
    ]
    for title, group in GROUPS.items():
        lines += ["", f"{title}:"]
        lines += [f"  {name:<12}{command.summary}" for name, command in group.items() if " " not in name]
        words = dict.fromkeys(name.partition(" ")[0] for name in group if " " in name)
        lines += [f"  {word:<12}{'|'.join(family(word))}" for word in words]
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
        "  hubbub sync review --post 'Looks good.'",
        "",
        "Exit status: 0 done, 1 failed, 2 usage, 3 not found, 4 timed out or nothing there,",
        "5 wrong context, 6 a person must act. More: hubbub COMMAND --help",
    ]
    return "\n".join(lines)
