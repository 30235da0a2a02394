"""The options of the commands for projects."""

from __future__ import annotations

from collections.abc import Callable

from hubbub.faces.cli.arguments import Parser, count, filled, key_option, yes_option

__all__ = ["BUILDERS"]


def _name(parser: Parser) -> None:
    parser.add_argument("project", metavar="PROJECT", type=filled, help="its name or id")


def _create(parser: Parser) -> None:
    add = parser.add_argument
    add("name", metavar="NAME", help="one printable line, up to 128 characters; its topic gets the same")
    add("--base", default="", metavar="COMMIT", help="the commit that the work starts from")
    steps_option(parser)
    add("--priority", type=count, default=0, metavar="N", help="from -100 to 100, higher goes first (0)")
    add("--description", default="", metavar="TEXT", help="what it is about; - or @FILE as for send")
    add("--metadata", metavar="JSON", help="a JSON object, or @FILE with one")
    key_option(parser)


def steps_option(parser: Parser) -> None:
    """The option of commands that take many steps at once."""
    parser.add_argument(
        "--steps",
        type=filled,
        metavar="FILE",
        help="a JSON list of steps, each a title or an object with title, needs, ...; - for standard input",
    )


def _list(parser: Parser) -> None:
    add = parser.add_argument
    add("--state", metavar="WORD", help="only those that are active, paused, completed or aborted")
    add("--limit", type=count, default=50, metavar="N", help="at most this many (50)")
    add("--after", metavar="PLACE", help="go on where an earlier list ended")


def _show(parser: Parser) -> None:
    _name(parser)
    parser.add_argument("--limit", type=count, default=100, metavar="N", help="at most this many steps (100)")


def _abort(parser: Parser) -> None:
    _name(parser)
    yes_option(parser)


def _edit(parser: Parser) -> None:
    _name(parser)
    add = parser.add_argument
    add("--name", metavar="NEW", help="another name")
    add("--base", metavar="COMMIT", help="another commit to start from")
    add("--priority", type=count, metavar="N", help="from -100 to 100, higher goes first")
    add("--description", metavar="TEXT", help="what it is about; - or @FILE as for send")
    add("--metadata", metavar="JSON", help="a JSON object, or @FILE with one")


def _metrics(parser: Parser) -> None:
    add = parser.add_argument
    add("project", metavar="PROJECT", nargs="?", type=filled, help="its name or id; else all")
    add("--scope", type=filled, metavar="WORD", help="only steps of this scope")
    add("--agent", type=filled, metavar="NAME", help="only what this agent did")


def _events(parser: Parser) -> None:
    _name(parser)
    add = parser.add_argument
    add("--step", type=filled, metavar="STEP", help="only this step: its number, or its id")
    add("--agent", type=filled, metavar="NAME", help="only what this agent did or what concerns it")
    add("--limit", type=count, default=50, metavar="N", help="the newest N (50)")


def _import(parser: Parser) -> None:
    add = parser.add_argument
    add("file", metavar="FILE", help="a plan in JSON or YAML, - for standard input, or an hq database")
    add("--name", metavar="NAME", help="of a plan: another name for the project")
    add("--format", metavar="WORD", help="of a plan: json or yaml; else it is looked at")
    add("--keep-done", action="store_true", help="of a plan: what is done in the file is done here, too")
    add("--projects", metavar="NAMES", help="of an hq database: only these, with commas between")
    add("--again", action="store_true", help="of an hq database: also what was imported before")
    key_option(parser)


def _export(parser: Parser) -> None:
    _name(parser)
    add = parser.add_argument
    add("-o", "--output", metavar="FILE", help="a new file; else standard output")
    add("--format", metavar="WORD", help="json or yaml; else as the file's name ends, or json")
    add("--results", action="store_true", help="with the status of the steps, and what came of them")
    add("--force", action="store_true", help="overwrite the file")


BUILDERS: dict[str, Callable[[Parser], None]] = {
    "project create": _create,
    "project list": _list,
    "project show": _show,
    "project pause": _name,
    "project resume": _name,
    "project abort": _abort,
    "project edit": _edit,
    "project metrics": _metrics,
    "project events": _events,
    "project import": _import,
    "project export": _export,
}
"""What adds the options of each of these commands."""
