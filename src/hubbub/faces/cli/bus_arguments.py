"""The options of ``config`` and ``monitor``."""

from __future__ import annotations

from collections.abc import Callable

from hubbub.faces.cli.arguments import Parser, filled


def _nothing(parser: Parser) -> None:
    return


def _key(parser: Parser) -> None:
    parser.add_argument("key", metavar="KEY", type=filled, help="such as gate.mode; hubbub config lists them")


def _set(parser: Parser) -> None:
    _key(parser)
    parser.add_argument("value", metavar="VALUE", help="as text: 30,60 for several, none for no reminders")


def _monitor(parser: Parser) -> None:
    add = parser.add_argument
    add("name", metavar="NAME", nargs="?", type=filled, help="the agent; else --as or HUBBUB_AGENT")
    add("--log", metavar="FILE", type=filled, help="the log; {agent} stands for the name")


BUILDERS: dict[str, Callable[[Parser], None]] = {
    "config show": _nothing,
    "config get": _key,
    "config set": _set,
    "config unset": _key,
    "monitor": _monitor,
}
"""What adds the options of each of these commands."""
