"""The options of the commands that run a program: what is behind its name is the program's own."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from hubbub.faces.cli.arguments import filled

if TYPE_CHECKING:
    from hubbub.faces.cli.arguments import Parser


def _run(parser: Parser) -> None:
    add = parser.add_argument
    add("words", nargs="*", metavar="COMMAND", help="the program and its arguments, behind all options")
    add("--profile", type=filled, metavar="NAME", help="how its screen is read (by the program's name)")
    add("--list-profiles", action="store_true", help="the profiles that there are")


def _wake(parser: Parser) -> None:
    add = parser.add_argument
    add("words", nargs="*", metavar="PROGRAM", help="with --command: what to run, and its arguments")
    add(
        "--tmux",
        type=filled,
        metavar="PANE",
        help="type into this pane of tmux: an id such as %%3, or a target",
    )
    add(
        "--profile", type=filled, metavar="NAME", help="how the pane's screen is read (by its program's name)"
    )
    add("--command", action="store_true", help="run a program for each batch of mail: all behind this is its")
    add("--timeout", type=float, default=30.0, metavar="SECONDS", help="how long the program may take (30)")
    add("--once", action="store_true", help="end after the first ring")


BUILDERS: dict[str, Callable[[Parser], None]] = {"run": _run, "wake": _wake}
"""What adds the options of each of these commands."""


def split(parser: Parser, command: str, words: Sequence[str]) -> tuple[list[str], list[str]]:
    """The command's own words, and those of the program that it runs."""
    position = 0
    while position < len(words):
        word = words[position]
        if word == "--" or (command == "wake" and word == "--command"):
            own = list(words[: position + (word != "--")])
            behind = list(words[position + 1 :])
            return own, behind[1:] if word != "--" and behind[:1] == ["--"] else behind
        if not word.startswith("-") or word == "-":
            return (list(words[:position]), list(words[position:])) if command == "run" else (list(words), [])
        action = parser._option_string_actions.get(word)
        position += 1 if action is None or action.nargs == 0 else 2
    return list(words), []
