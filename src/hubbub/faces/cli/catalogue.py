"""Which commands there are, in the groups and the order that the help shows."""

from __future__ import annotations

from hubbub.faces.cli.catalogue_work import WORK

PACKAGE = "hubbub.faces.cli."

ACTIONS_WIDTH = 84
"""Columns of the overview that a family's actions take."""


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
        "request": _C(
            "commands.asking", "request", "ask, and wait for the answer", "hubbub request bob 'Which port?'"
        ),
        "pending": _C("commands.owing", "pending", "the answers that are owed", "hubbub pending --all"),
        "pending waive": _C(
            "commands.owing",
            "waive",
            "want an answer no longer",
            "hubbub pending waive m1abcde --reason 'Found it.'",
        ),
        "ping": _C("commands.asking", "ping", "is an agent's process there", "hubbub ping bob"),
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
    "Work": {name: _C(*command) for name, command in WORK.items()},
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
        "config show": _C(
            "commands.config", "show", "what is configured, and where it comes from", "hubbub config"
        ),
        "config get": _C("commands.config", "get", "one value", "hubbub config get gate.limit"),
        "config set": _C(
            "commands.config",
            "set_",
            "set a value on the bus, for everyone",
            "hubbub config set gate.mode enforce",
        ),
        "config unset": _C(
            "commands.config", "unset", "take it off the bus again", "hubbub config unset gate.mode"
        ),
        "mcp": _C("launch", "mcp", "serve one agent over MCP on stdio", "hubbub mcp --as bob"),
        "demo": _C("launch", "demo", "see agents exchange work, and a crash lose nothing", "hubbub demo"),
    },
    "Clients": {
        "run": _C(
            "commands.run",
            "run",
            "run an agent in a terminal where mail wakes it",
            "hubbub run --as bob claude --continue",
        ),
        "wake": _C(
            "commands.wake",
            "wake",
            "wake an agent that already runs: in tmux, or by a program",
            "hubbub wake --as bob --tmux %3",
        ),
        "monitor": _C(
            "commands.monitor",
            "monitor",
            "keep an agent online, and log a line for each of its messages",
            "hubbub monitor bob",
        ),
        "setup": _C(
            "commands.setup",
            "setup",
            "have your coding agents use Hubbub, or no more",
            "hubbub setup claude codex --preview",
        ),
        "hook": _C(
            "commands.hook", "hook", "what a client's hooks run: JSON in, JSON out", "hubbub hook claude"
        ),
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
    "complete-projects": _C("completion", "complete_projects", "the projects' names, for completion", ""),
}

COMMANDS: dict[str, Command] = {name: command for group in GROUPS.values() for name, command in group.items()}


FAMILIES = {
    "topic": "topic list",
    "project": "project list",
    "step": "step list",
    "reserve": "reserve list",
    "pending": "pending",
    "config": "config show",
}
"""Words that take another one to name a command, and the command that each is alone. One that is a command
itself, with arguments of its own, is that unless one of its actions follows."""

FAMILY_SUMMARIES = {
    "topic": "make, read and manage topics",
    "project": "plan work, and see how it goes",
    "step": "claim, do and hand on steps of work",
    "reserve": "keep files to yourself for a while",
    "pending": "the answers that are owed",
    "config": "see what is configured, and set it on the bus",
}


def family(word: str) -> dict[str, Command]:
    """The commands that begin with ``word``, by their second word."""
    return {
        name.partition(" ")[2]: command
        for name, command in COMMANDS.items()
        if name.startswith(word + " ") and word in FAMILIES
    }


def resolve(word: str, following: str) -> tuple[str, bool]:
    """The command that a word of :data:`FAMILIES` names with the word that follows, empty where none does;
    and whether that word belongs to its name."""
    if f"{word} {following}" in COMMANDS:
        return f"{word} {following}", True
    if not following:
        return FAMILIES[word], False
    if word in COMMANDS:
        return word, False
    return (FAMILIES[word], False) if following.startswith("-") else (f"{word} {following}", True)


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


def _told(name: str, command: Command) -> str:
    """A command's line in the overview, with its actions where it has some."""
    return command.summary + (f"; or {'|'.join(family(name))}" if name in FAMILIES else "")


def _listed(word: str, actions: dict[str, Command]) -> list[str]:
    """The actions of a family in lines of the overview."""
    lines = [""]
    for action in actions:
        if len(lines[-1]) + len(action) > ACTIONS_WIDTH:
            lines.append("")
        lines[-1] += f"{action}|"
    lines[-1] = lines[-1].removesuffix("|")
    return [f"  {word if place == 0 else '':<12}{line}" for place, line in enumerate(lines)]


def overview() -> str:
    """The text of ``hubbub --help``."""
    lines = [
        "Hubbub: one message bus for coding agents.",
        "",
        "Usage: hubbub [--bus URL] [--as NAME] [--json] [--no-color] COMMAND ...",
    ]
    for title, group in GROUPS.items():
        lines += ["", f"{title}:"]
        lines += [f"  {name:<12}{_told(name, command)}" for name, command in group.items() if " " not in name]
        for word in dict.fromkeys(name.partition(" ")[0] for name in group if " " in name):
            lines += _listed(word, family(word)) if word not in group else []
    lines += [
        "",
        "Options, before or after the command:",
        "  --bus URL     the bus to use; else HUBBUB_BUS, .hubbub.toml, this git repository's, or your own",
        "  --as NAME     the agent to act for; else HUBBUB_AGENT, else the one whose client's shell this is",
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
