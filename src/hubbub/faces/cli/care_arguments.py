"""The options of commands for the care of a bus, and of those that are run once."""

from __future__ import annotations

from collections.abc import Callable

from hubbub.faces.cli.arguments import Parser, count, yes_option

__all__ = ["BUILDERS"]


def _dead(parser: Parser) -> None:
    add = parser.add_argument
    add(
        "action",
        nargs="?",
        default="list",
        metavar="ACTION",
        help="list (unless given), show, retry or purge",
    )
    add("ids", metavar="ID", nargs="*", help="messages")
    add("--agent", metavar="NAME", help="only dead letters of this agent")
    add("--all", action="store_true", help="with retry or purge: every dead letter")
    add("--limit", type=count, default=50, metavar="N", help="with list: at most this many (50)")
    yes_option(parser)


def _register(parser: Parser) -> None:
    add = parser.add_argument
    add("name", metavar="NAME", help="a-z, 0-9, - and _, up to 64")
    add("--role", metavar="WORD", help="both, publisher (only sends) or consumer (receives and answers)")
    add("--description", metavar="TEXT", help="what it does, for other agents")
    add("--inbox-limit", type=count, metavar="N", help="how many unsettled messages its inbox takes")
    add("--max-message-bytes", type=count, metavar="N", help="the largest message it takes")


def _unregister(parser: Parser) -> None:
    add = parser.add_argument
    add("name", metavar="NAME", help="the agent")
    add("--delete-mail", action="store_true", help="delete its mail, too; else it is kept")
    add("--release-name", action="store_true", help="only end the session that holds the name")
    yes_option(parser)


def _backup(parser: Parser) -> None:
    parser.add_argument("file", metavar="FILE", nargs="?", help="a new file (hubbub-DATE-TIME.db)")


def _doctor(parser: Parser) -> None:
    parser.add_argument("--fix", action="store_true", help="correct the rights of files and folders")


def _demo(parser: Parser) -> None:
    parser.add_argument("--keep", action="store_true", help="keep the bus, to look at it afterwards")


def _completion(parser: Parser) -> None:
    parser.add_argument("shell", choices=("bash", "zsh", "fish"), help="whose script to print")


BUILDERS: dict[str, Callable[[Parser], None]] = {
    "dead": _dead,
    "register": _register,
    "unregister": _unregister,
    "backup": _backup,
    "doctor": _doctor,
    "demo": _demo,
    "completion": _completion,
}
