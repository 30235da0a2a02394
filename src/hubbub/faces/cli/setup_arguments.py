"""The options of ``setup``."""

from __future__ import annotations

from collections.abc import Callable

from hubbub.faces.cli.arguments import Parser, filled, yes_option


def _setup(parser: Parser) -> None:
    add = parser.add_argument
    add(
        "clients",
        metavar="CLIENT",
        nargs="*",
        help="claude, codex, gemini, opencode, cursor, vscode, or all; without one: those found here",
    )
    add("--scope", default="user", metavar="WORD", help="user (all your projects), or project (this one)")
    add("--preview", action="store_true", help="show what would change, and write nothing")
    add("--undo", action="store_true", help="take out again what setup wrote")
    add("--force", action="store_true", help="put it in place of a different hubbub entry")
    add("--tools", type=filled, metavar="WORDS", help="only these toolsets: mail, topics, work")
    yes_option(parser)


BUILDERS: dict[str, Callable[[Parser], None]] = {"setup": _setup}
