"""The entry point of ``hubbub``: from the command line to an exit status.

A command must start fast: what it does not need it does not import, here and below.
"""

from __future__ import annotations

import gc
import os
import sys
from typing import TYPE_CHECKING, NoReturn

from hubbub.errors import EXIT_FAILED, HubbubError
from hubbub.faces.cli.failures import InternalError, Interrupted, OutputFailed, UsageError
from hubbub.faces.cli.output import (
    Output,
    ReaderGone,
    complain,
    open_missing_streams,
    terminal_width,
    wants_colour,
)
from hubbub.text import safe_line

if TYPE_CHECKING:
    from collections.abc import Callable

    from hubbub.faces.cli.context import Context

_WITH_VALUE = ("--bus", "--as")
_FLAGS = ("--json", "--no-color")

EXIT_PIPE = 128 + 13
"""What a program that SIGPIPE ended exits with."""


def run() -> NoReturn:
    """Run the command line of this process and exit."""
    # Collecting while modules load, and once more at the end, costs a short command milliseconds.
    gc.set_threshold(50_000, 10, 10)
    open_missing_streams()
    try:
        status = main(sys.argv[1:])
    except KeyboardInterrupt:
        status = 130
    except Interrupted as stopped:
        status = 128 + stopped.signal
    gc.freeze()
    sys.exit(status)


def main(words: list[str]) -> int:
    """Run the command that ``words`` name; its exit status."""
    options = words[: words.index("--")] if "--" in words else words
    colour = wants_colour(refused="--no-color" in options)
    output = Output(json="--json" in options, colour=colour, width=terminal_width())
    try:
        status = _dispatch(words, output)
        output.flush()
        return status
    except OutputFailed as failure:
        if output.done:  # else a caller would take it for undone, and do it once more
            failure.hint = f"It was done all the same: {output.done} {failure.hint}".rstrip()
        elif isinstance(failure, ReaderGone):
            return EXIT_PIPE
        _report(failure, output)
        return EXIT_PIPE if isinstance(failure, ReaderGone) else failure.exit_status
    except HubbubError as error:
        return _report(error, output)
    except Exception as error:
        return _report(_unexpected(error), output)


def _dispatch(words: list[str], output: Output) -> int:
    before, name, after = _split(words)
    if name == "help" and after:
        name, after = after[0], [*after[1:2], "--help"]
    if name in ("", "help", "--help", "-h"):
        from hubbub.faces.cli.catalogue import overview

        output.line(overview())
        return 0
    if name in ("--version", "version"):
        from hubbub import __version__

        if output.json:
            output.answer({"version": __version__})
        else:
            output.line(f"hubbub {__version__}")
        return 0
    if name == "hook" and not {"-h", "--help"} & set(after):
        from hubbub.faces.cli.commands.hook import run

        return run(before + after)
    from hubbub.faces.cli import catalogue

    if name in catalogue.FAMILIES:
        more, action, rest = _split(after)
        if action in ("help", "--help", "-h") and name not in catalogue.COMMANDS:
            output.line(catalogue.family_overview(name))
            return 0
        if action == "help":
            action, after = "--help", [*more, "--help", *rest]
        name, taken = catalogue.resolve(name, action)
        after = more + rest if taken else after
    command = catalogue.find(name)
    if command is None:
        raise _unknown(name, [*catalogue.COMMANDS, *catalogue.FAMILIES])
    return _call(name, command, before + after, output)


def _call(name: str, command: object, words: list[str], output: Output) -> int:
    from importlib import import_module

    from hubbub.faces.cli.arguments import parse
    from hubbub.faces.cli.catalogue import Command
    from hubbub.faces.cli.context import Context

    assert isinstance(command, Command)
    try:
        arguments = parse(name, words, lambda text: output.line(text.rstrip("\n")))
    except SystemExit:
        return 0  # its help was asked for
    function: Callable[[Context], int] = getattr(import_module(command.module), command.function)
    context = Context(arguments, output)
    try:
        return function(context)
    finally:
        context.close()


def _split(words: list[str]) -> tuple[list[str], str, list[str]]:
    """The global options before the command, the command, and what follows it."""
    position = 0
    while position < len(words):
        word = words[position]
        if word in _WITH_VALUE:
            if not any(words[position + 1 : position + 2]):
                raise UsageError(f"{word} needs a value.", hint="Run: hubbub --help")
            position += 2
        elif word in ("--bus=", "--as="):
            raise UsageError(f"{word} needs a value.", hint="Run: hubbub --help")
        elif word in _FLAGS or word.startswith(("--bus=", "--as=")):
            position += 1
        else:
            return words[:position], word, words[position + 1 :]
    return words, "", []


def _unknown(name: str, known: list[str]) -> UsageError:
    from hubbub.faces.cli.synonyms import meant

    near = meant(name, known)
    what = "option" if name.startswith("-") else "command"
    hint = f"Did you mean {near}?" if near else "Run: hubbub --help"
    return UsageError(f"There is no {what} {name!a}.", hint=hint)


def _unexpected(error: Exception) -> HubbubError:
    if os.environ.get("HUBBUB_DEBUG"):
        import traceback

        complain(traceback.format_exc())
    return InternalError(f"Something unexpected happened: {type(error).__name__}: {error}")


def _report(error: HubbubError, output: Output) -> int:
    """Tell of ``error``: in JSON as the command's one answer, else on standard error."""
    output.discard()
    if output.json and not output.answered and not isinstance(error, OutputFailed):
        output.answer({"error": error.as_dict()})
        try:
            output.flush()
            return error.exit_status
        except OutputFailed:
            pass  # then it is told as text
    complain(
        f"hubbub: {safe_line(error.message)} [{error.code}]" + (f"\n  {error.hint}" if error.hint else "")
    )
    return error.exit_status or EXIT_FAILED


__all__ = ["main", "run"]
