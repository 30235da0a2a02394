"""The options of the commands for topics, search, export and import."""

from __future__ import annotations

from collections.abc import Callable

from hubbub.faces.cli.arguments import (
    Parser,
    count,
    filled,
    key_option,
    lease_option,
    wait_option,
    yes_option,
)

__all__ = ["BUILDERS"]

READ_LAST = 50
"""How many messages ``topic read`` shows where it is not said."""

READ_LIMIT = 1000
"""How many it shows of those after a number."""


def _name(parser: Parser, help_: str = "its name or id") -> None:
    parser.add_argument("topic", metavar="TOPIC", type=filled, help=help_)


def _list(parser: Parser) -> None:
    add = parser.add_argument
    add(
        "--state",
        metavar="WORD",
        help="open, closed or all (open, and closed ones in which the agent has something to read)",
    )
    add("--match", metavar="TEXT", help="only those whose name contains this")
    add("--limit", type=count, default=50, metavar="N", help="at most this many (50)")
    add("--after", metavar="PLACE", help="go on where an earlier list ended")


def _create(parser: Parser) -> None:
    add = parser.add_argument
    add("name", metavar="NAME", nargs="?", help="one printable line, up to 128 characters; else its id")
    add("--metadata", metavar="JSON", help="a JSON object, or @FILE with one")
    add("--new", action="store_true", help="fail where an open topic has the name, instead of joining it")
    key_option(parser)


def _close(parser: Parser) -> None:
    _name(parser)
    parser.add_argument("--reason", default="", metavar="TEXT", help="why, for its members")


def _rename(parser: Parser) -> None:
    _name(parser)
    parser.add_argument("name", metavar="NEW", help="the new name")


def _delete(parser: Parser) -> None:
    _name(parser)
    yes_option(parser)


def _join(parser: Parser) -> None:
    _name(parser)
    parser.add_argument(
        "--from",
        dest="start",
        metavar="PLACE",
        help="start, latest, or after a number; else where you left off, or the start",
    )


def _members(parser: Parser) -> None:
    _name(parser)
    parser.add_argument("--limit", type=count, default=200, metavar="N", help="at most this many (200)")


def _reset(parser: Parser) -> None:
    _name(parser)
    parser.add_argument("place", metavar="PLACE", help="start, latest, or after a number")


def _read(parser: Parser) -> None:
    add = parser.add_argument
    _name(parser)
    add("--after", type=count, metavar="N", help="what comes after this number")
    add("--before", type=count, metavar="N", help="what comes before this number")
    add(
        "--last",
        type=count,
        metavar="N",
        help=f"the newest N ({READ_LAST}, unless --after or --thread is given)",
    )
    add("--thread", metavar="ID", help="only the thread of this message")
    add(
        "--limit",
        type=count,
        metavar="N",
        help=f"at most this many ({READ_LIMIT} with --after or --thread)",
    )


def _sync(parser: Parser) -> None:
    add = parser.add_argument
    _name(parser)
    add(
        "--post",
        action="append",
        default=[],
        metavar="TEXT",
        help="post this first; - for standard input, @FILE; @@x is a literal @x; may be repeated",
    )
    add("-k", "--kind", default="message", metavar="WORD", help="of what is posted (message)")
    add("--reply-to", metavar="ID", help="the message of this topic that the posts answer")
    add("--metadata", metavar="JSON", help="of what is posted: a JSON object, or @FILE with one")
    add(
        "--key",
        metavar="KEY",
        help="an idempotency key: a retry posts nothing twice; of several posts the second has KEY:2",
    )
    wait_option(parser)
    add("--limit", type=count, default=20, metavar="N", help="at most this many, up to 100 (20)")
    lease_option(parser, "confirmed")
    add("--manual", action="store_true", help="the same messages come until --ack-through says they are done")
    add("--ack-through", type=count, metavar="N", help="with --manual: all up to this number are done")


def _watch(parser: Parser) -> None:
    add = parser.add_argument
    add("topics", metavar="TOPIC", nargs="*", help="names or ids; an agent's name alone is --mail")
    add("--all", action="store_true", help="every topic, also those made from now on")
    add("--mail", metavar="NAME", help="what this agent sends and is sent, as the operator")
    add(
        "--last",
        type=count,
        default=0,
        metavar="N",
        help="begin with the newest N of each, with --all of all together (0)",
    )
    add("--full", action="store_true", help="whole texts, not only a line of each")


def _search(parser: Parser) -> None:
    add = parser.add_argument
    add(
        "query",
        metavar="QUERY",
        nargs="*",
        help='words, "a phrase", -excluded, begin*, this OR that',
    )
    add("--topic", type=filled, metavar="TOPIC", help="only in this topic: its name or id")
    add("--from", dest="sender", metavar="NAME", help="only what this agent wrote")
    add("--kind", metavar="WORD", help="only this kind")
    add("--thread", metavar="ID", help="only this thread")
    add("--since", metavar="TIME", help="10m, 2h, 3d, or a date and time like 2026-11-21T09:30Z")
    add("--until", metavar="TIME", help="the same")
    scope = parser.add_mutually_exclusive_group()
    scope.add_argument("--mail", action="store_true", help="only the mail")
    scope.add_argument("--topics", action="store_true", help="only topics")
    add("--limit", type=count, default=20, metavar="N", help="at most this many, up to 100 (20)")
    add(
        "--mode",
        default="auto",
        metavar="WORD",
        help="words, meaning, hybrid (both), or auto: hybrid where the extra is installed (auto)",
    )
    add("--index", action="store_true", help="bring the index up to date; no query is needed")


def _export(parser: Parser) -> None:
    add = parser.add_argument
    add("what", metavar="WHAT", type=filled, help="a topic, or a thread of the mail: a name or an id")
    add("-o", "--output", metavar="FILE", help="a new file; else standard output")
    add("--format", metavar="WORD", help="markdown or jsonl; else as the file's name ends, or markdown")
    add("--thread", metavar="ID", help="of a topic: only the thread of this message")
    add("--after", type=count, default=0, metavar="N", help="of a topic: only what comes after this number")
    add("--metadata", action="store_true", help="metadata in Markdown, too; JSON Lines always holds it")
    add("--force", action="store_true", help="overwrite the file")


def _import(parser: Parser) -> None:
    add = parser.add_argument
    add("file", metavar="FILE", help="a JSON Lines export, or a database of Agent Bus MCP")
    add("--as-topic", metavar="NAME", help="of an export: another name for the topic")
    add("--topics", metavar="NAMES", help="of a database: only these, with commas between")
    add(
        "--skip", action="store_true", help="of a database: leave out messages that are too large for a topic"
    )


_SIMPLE = ("show", "reopen", "leave")

BUILDERS: dict[str, Callable[[Parser], None]] = {
    **{f"topic {action}": _name for action in _SIMPLE},
    "topic list": _list,
    "topic create": _create,
    "topic close": _close,
    "topic rename": _rename,
    "topic delete": _delete,
    "topic join": _join,
    "topic members": _members,
    "topic reset": _reset,
    "topic read": _read,
    "sync": _sync,
    "watch": _watch,
    "search": _search,
    "export": _export,
    "import": _import,
}
"""What adds the options of each of these commands."""
