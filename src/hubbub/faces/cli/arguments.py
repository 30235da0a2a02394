"""The options of each command. Only the parser of the command that was named is built."""

from __future__ import annotations

import argparse
import os
from collections.abc import Callable, Sequence
from typing import NoReturn

from hubbub.faces.cli.catalogue import COMMANDS
from hubbub.faces.cli.failures import UsageError

WIDTH = 100
"""Columns of the help where no terminal says how wide it is, and at most."""

WEEK_SECONDS = 7 * 86_400
"""The longest wait: what ``--wait`` without a number means."""

COMMAND_LINE_LEASE_SECONDS = 60
"""A command settles what it took as soon as it has written it, so a killed one need not keep it long."""


RUNS_PROGRAMS = ("run", "wake")
"""Commands behind whose options stands another program, with options of its own."""


class Parser(argparse.ArgumentParser):
    """argparse, but errors are raised for the caller to report, and help goes through ``write``."""

    def __init__(self, command: str, write: Callable[[str], None]) -> None:
        known = COMMANDS.get(command)
        super().__init__(
            prog=f"hubbub {command}",
            description=known.summary[0].upper() + known.summary[1:] + "." if known else None,
            epilog=f"example: {known.example}" if known else None,
            allow_abbrev=False,
            formatter_class=_formatter,
        )
        self._write = write

    def error(self, message: str) -> NoReturn:
        """Raise UsageError, with the option that may have been meant."""
        message = message.replace(_DASH, "")
        hint = f"Run: {self.prog} --help"
        unknown = message.removeprefix("unrecognized arguments: ").partition(" ")[0]
        if unknown != message and unknown.startswith("--"):
            from hubbub.names import nearest

            near = nearest(unknown, self._option_string_actions, 1)
            hint = f"Did you mean {near[0]}? {hint}" if near else self._hint(message, hint)
        else:
            hint = self._hint(message, hint)
        raise UsageError(f"{message[0].upper()}{message[1:]}.", hint=hint)

    def _hint(self, message: str, otherwise: str) -> str:
        if message.endswith("expected one argument"):
            option = message.removeprefix("argument ").partition(":")[0].rpartition("/")[2]
            if option.startswith("--"):
                return f"A value that begins with a dash goes behind =, as in {option}=-x. {otherwise}"
        if self.prog.endswith(" sync") and message.startswith("unrecognized arguments: "):
            return f"Put --post before a text: {self.prog} TOPIC --post TEXT"
        taken_for_option = message.startswith("unrecognized arguments: -") or "explicit argument" in message
        texts = {action.dest for action in self._actions} & {"body", "query"}
        if not taken_for_option or not texts:
            return otherwise
        if "query" in texts:
            return f"Put -- before a word that begins with a dash: {self.prog} crash -- -timeout"
        to = "ID" if self.prog.endswith(" reply") else "bob"
        return f'Put -- before a text that begins with a dash: {self.prog} {to} -- "-hello"'

    def print_help(self, file: object = None) -> None:
        """Hand the help to ``write``."""
        self._write(self.format_help())


def build_parser(command: str, write: Callable[[str], None] = lambda _: None) -> Parser:
    """The parser of one command; ``write`` takes the text of its help."""
    parser = Parser(command, write)
    add_global_options(parser)
    (_BUILDERS.get(command) or _seldom(command))(parser)
    # argparse would lay out its own usage before each parse, which costs milliseconds.
    parser.usage = " ".join([parser.prog, "[OPTION ...]", *_positionals(parser)])
    return parser


CARE = ("dead", "register", "unregister", "backup", "doctor", "demo", "completion")
"""Commands for the care of a bus, and those that are run once."""


def _seldom(command: str) -> Callable[[Parser], None]:
    """What adds the options of a command of a family, or of another that is not used all the time."""
    word = command.partition(" ")[0]
    if word == "project":
        from hubbub.faces.cli.project_arguments import BUILDERS
    elif word in ("request", "ping", "pending"):
        from hubbub.faces.cli.asking_arguments import BUILDERS
    elif word in ("step", "reserve"):
        from hubbub.faces.cli.step_arguments import BUILDERS
    elif word in CARE:
        from hubbub.faces.cli.care_arguments import BUILDERS
    elif word in ("config", "monitor"):
        from hubbub.faces.cli.bus_arguments import BUILDERS
    elif word in RUNS_PROGRAMS:
        from hubbub.faces.cli.wake_arguments import BUILDERS
    elif word == "setup":
        from hubbub.faces.cli.setup_arguments import BUILDERS
    else:
        from hubbub.faces.cli.topic_arguments import BUILDERS
    return BUILDERS[command]


def _positionals(parser: Parser) -> list[str]:
    shown = []
    for action in parser._get_positional_actions():
        word = str(action.metavar or "|".join(action.choices or [action.dest]))
        word = f"{word} ..." if action.nargs in ("*", "+") else word
        shown.append(f"[{word}]" if action.nargs in ("*", "?") else word)
    return shown


def _formatter(prog: str) -> argparse.HelpFormatter:
    # Given a width, argparse does not load shutil to find one.
    try:
        width = os.get_terminal_size(1).columns
    except OSError:
        width = WIDTH
    return argparse.HelpFormatter(prog, width=max(40, min(width, WIDTH)), max_help_position=28)


def parse(command: str, words: Sequence[str], write: Callable[[str], None]) -> argparse.Namespace:
    """The arguments of ``command``.

    Raises:
        UsageError: they can't be understood.
        SystemExit: help was asked for, and written.
    """
    parser = build_parser(command, write)
    if command in RUNS_PROGRAMS:
        from hubbub.faces.cli.wake_arguments import split

        own, behind = split(parser, command, words)
        arguments = parser.parse_args(own)
        arguments.words += behind
        return arguments
    if "--" in words:
        _refuse_behind(parser, words)
    # Intermixed: options may stand between a recipient and the body.
    return _unmarked(parser.parse_intermixed_args(_marked(words)))


_DASH = "\0"
"""Marks a word behind ``--`` that begins with a dash; no word of a command line can hold it."""


def _refuse_behind(parser: Parser, words: Sequence[str]) -> None:
    """Raise UsageError where an option stands behind ``--``: it would be taken for text, in silence."""
    for word in words[words.index("--") + 1 :]:
        option = word.partition("=")[0]
        if option.startswith("--") and option in parser._option_string_actions:
            raise UsageError(
                f"{option} stands behind --, where every word is text.",
                hint="Put options before --. A text that is nothing but this: from standard input, as -.",
            )


def _marked(words: Sequence[str]) -> list[str]:
    """The words without ``--``: argparse, intermixed, forgets it before it looks at the last of them."""
    before = list(words)
    if "--" not in before:
        return before
    place = before.index("--")
    return before[:place] + [_DASH + word if word[:1] == "-" else word for word in before[place + 1 :]]


def _unmarked(arguments: argparse.Namespace) -> argparse.Namespace:
    for name, value in vars(arguments).items():
        if isinstance(value, str):
            setattr(arguments, name, value.removeprefix(_DASH))
        elif isinstance(value, list):
            kept = [word.removeprefix(_DASH) if isinstance(word, str) else word for word in value]
            setattr(arguments, name, kept)
    return arguments


def add_global_options(parser: argparse.ArgumentParser) -> None:
    """What every command takes."""
    group = parser.add_argument_group("options of every command")
    group.add_argument("--bus", type=filled, metavar="URL", help="the bus to use")
    group.add_argument(
        "--as",
        dest="as_agent",
        type=filled,
        metavar="NAME",
        help="the agent to act for; else HUBBUB_AGENT, else the one whose client's shell this is",
    )
    group.add_argument("--json", action="store_true", help="answer in JSON, errors too")
    group.add_argument("--no-color", action="store_true", help="plain text on a terminal, too")


def filled(text: str) -> str:
    """A text that is not empty: an unset variable of a script must not choose the default."""
    if not text:
        raise argparse.ArgumentTypeError("the value is empty")
    return text


def seconds(text: str) -> float:
    """A number of seconds."""
    try:
        return float(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!a} is not a number of seconds") from None


def duration(text: str) -> float:
    """A length of time in seconds, written as ``90``, ``90s``, ``15m``, ``2h`` or ``1d``."""
    unit = {"s": 1, "m": 60, "h": 3600, "d": 86_400}.get(text[-1:])
    try:
        return float(text) if unit is None else float(text[:-1]) * unit
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!a} is not a length of time: 90s, 15m, 2h or 1d") from None


def count(text: str) -> int:
    """A whole number."""
    try:
        return int(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!a} is not a whole number") from None


def _send(parser: Parser) -> None:
    parser.add_argument("to", metavar="TO", help="a name, several with commas between, or '*' for everyone")
    body_argument(parser)
    _content(parser)
    parser.add_argument("--reply-to", metavar="ID", help="the message that this answers; settles it")


def _reply(parser: Parser) -> None:
    parser.add_argument("id", metavar="ID", help="the message to answer")
    body_argument(parser)
    _content(parser)
    parser.add_argument(
        "--decline", metavar="REASON", help="say that there will be no answer, instead of one"
    )


def body_argument(parser: Parser) -> None:
    """The text of a message."""
    parser.add_argument(
        "body",
        metavar="BODY",
        nargs="?",
        help="the text, - for standard input (also when left out), or @FILE; @@x is a literal @x",
    )


def _content(parser: Parser) -> None:
    add = parser.add_argument
    add("-s", "--subject", default="", metavar="TEXT", help="a line on what it is about")
    add(
        "-k",
        "--kind",
        metavar="WORD",
        help="message, task, question, status, ...; a reply's follows from its original",
    )
    add("-p", "--priority", default="normal", metavar="WORD", help="urgent, normal or low")
    add("--thread", metavar="NAME", help="a thread to add to: its name, or the id of a message in it")
    add("--metadata", metavar="JSON", help="a JSON object, or @FILE with one")
    reply_within_option(parser)
    add("--ttl", type=seconds, metavar="SECONDS", help="dead if nobody took it for this long")
    add("--announce", action="store_true", help="put a copy into #all, for every agent to know of")
    add("--wait-for-room", type=seconds, default=0, metavar="SECONDS", help="wait while the inbox is full")
    key_option(parser)


def reply_within_option(parser: Parser) -> None:
    """The option for when an answer is due."""
    parser.add_argument(
        "--reply-within", type=duration, metavar="TIME", help="an answer is wanted within 90s, 10m, 2h, ..."
    )


def key_option(parser: Parser) -> None:
    """The option for an idempotency key."""
    parser.add_argument("--key", metavar="KEY", help="an idempotency key: a retry with it does nothing twice")


def _filters(parser: Parser) -> None:
    add = parser.add_argument
    add("--limit", type=count, default=10, metavar="N", help="at most this many (10)")
    add("--from", dest="sender", metavar="NAME", help="only what this agent sent")
    add("--kind", metavar="WORD", help="only this kind")
    add("--priority", metavar="WORD", help="only this priority")
    add("--thread", metavar="NAME", help="only this thread: its name, or its first message's id")


def wait_option(parser: Parser, what: str = "a message") -> None:
    """The option of commands that can wait for messages, or for ``what``."""
    parser.add_argument(
        "--wait",
        type=seconds,
        nargs="?",
        const=WEEK_SECONDS,
        default=0,
        metavar="SECONDS",
        help=f"wait for {what}; without a number until one comes, at most a week",
    )


def lease_option(parser: Parser, what: str) -> None:
    """The option of commands that are handed something."""
    parser.add_argument(
        "--lease",
        type=seconds,
        default=COMMAND_LINE_LEASE_SECONDS,
        metavar="SECONDS",
        help=f"what is not {what} by then comes back ({COMMAND_LINE_LEASE_SECONDS})",
    )


def _receive(parser: Parser) -> None:
    add = parser.add_argument
    wait_option(parser)
    _filters(parser)
    lease_option(parser, "settled")
    add("--keep", action="store_true", help="do not settle; that is left to: hubbub ack ID")
    key_option(parser)


def _peek(parser: Parser) -> None:
    parser.add_argument("--agent", metavar="NAME", help="look at this agent's inbox, as the operator")
    _filters(parser)


def _ack(parser: Parser) -> None:
    add = parser.add_argument
    add("ids", metavar="ID", nargs="+", help="messages to settle, all or none")
    add("--release", action="store_true", help="give them back instead, to be handed out again")
    add("--delay", type=seconds, default=0, metavar="SECONDS", help="with --release: not before this time")
    key_option(parser)


def _thread(parser: Parser) -> None:
    add = parser.add_argument
    add("thread", metavar="ID_OR_NAME", help="a thread's name, any message in it, or a topic as #name")
    add("--limit", type=count, metavar="N", help="at most this many (all)")
    add("--after", type=count, default=0, metavar="SEQ", help="go on after this message")


def _log(parser: Parser) -> None:
    add = parser.add_argument
    add("--agent", metavar="NAME", help="only what this agent did or what concerns it")
    add("--message", metavar="ID", help="only this message")
    add("--topic", type=filled, metavar="TOPIC", help="only this topic: its name or id")
    add("--project", type=filled, metavar="PROJECT", help="only this project: its name or id")
    add("--step", type=filled, metavar="STEP", help="only this step: its id, or PROJECT/NUMBER")
    add(
        "--event",
        dest="events",
        action="append",
        default=[],
        metavar="WORD",
        help="only this event; may be repeated",
    )
    add("--since", metavar="TIME", help="10m, 2h, 3d, or a date and time like 2026-11-21T09:30Z")
    add("--limit", type=count, default=50, metavar="N", help="at most this many (50)")
    add("--after", type=count, metavar="SEQ", help="those after this one, instead of the newest")
    add("--follow", action="store_true", help="go on with what happens from now on")


def _who(parser: Parser) -> None:
    parser.add_argument("--online", action="store_true", help="only those that are online")


def _status(parser: Parser) -> None:
    parser.add_argument("what", metavar="NAME_OR_ID", nargs="?", help="an agent, or a message; else the bus")


def yes_option(parser: Parser) -> None:
    """The option of commands that ask a person."""
    parser.add_argument("--yes", action="store_true", help="do not ask before what can't be undone")


def _mcp(parser: Parser) -> None:
    add = parser.add_argument
    add("--agent", dest="as_agent", type=filled, metavar="NAME", help="the same as --as")
    add("--tools", default="", metavar="SETS", help="which toolsets to offer: mail, topics, work (all)")
    add(
        "--era",
        default="auto",
        choices=("auto", "legacy"),
        help="legacy: only the initialize handshake (auto)",
    )


def _hook(parser: Parser) -> None:
    add = parser.add_argument
    add("client", metavar="CLIENT", choices=("claude", "codex", "gemini", "opencode"), help="the client")
    add("event", metavar="EVENT", nargs="?", help="the event; else the JSON on standard input names it")


def _nothing(parser: Parser) -> None:
    return


_BUILDERS: dict[str, Callable[[Parser], None]] = {
    "send": _send,
    "receive": _receive,
    "reply": _reply,
    "ack": _ack,
    "peek": _peek,
    "thread": _thread,
    "log": _log,
    "who": _who,
    "status": _status,
    "mcp": _mcp,
    "hook": _hook,
    "complete-names": _nothing,
    "complete-topics": _nothing,
    "complete-projects": _nothing,
}
