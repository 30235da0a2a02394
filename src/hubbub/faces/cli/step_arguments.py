"""The options of the commands for steps, and for files that are reserved."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from typing import Any

from hubbub.faces.cli.arguments import Parser, count, duration, filled, key_option, wait_option
from hubbub.faces.cli.project_arguments import steps_option

__all__ = ["BUILDERS"]

_TEXT = "; - for standard input, @FILE, @@x for a literal @x"


def _step(parser: Parser, help_: str = "its id, or PROJECT/NUMBER") -> None:
    parser.add_argument("step", metavar="STEP", type=filled, help=help_)


def _need(text: str) -> dict[str, Any]:
    """An edge as ``N``, ``N:merged``, ``N:cancel`` or ``N:merged:continue``."""
    num, *words = text.split(":")
    if not (num.isascii() and num.isdigit()):
        raise argparse.ArgumentTypeError(f"{text!a} does not begin with a step's number, as in 3 or 3:merged")
    need: dict[str, Any] = {"num": int(num[:12])}
    for word in words:
        field = "until" if word in ("completed", "merged") else "on_failure"
        if field in need or word not in ("completed", "merged", "block", "cancel", "continue"):
            raise argparse.ArgumentTypeError(
                f"{text!a} is not N[:merged][:block|cancel|continue], as in 3:merged:cancel"
            )
        need[field] = word
    return need


def _texts(parser: Parser) -> None:
    add = parser.add_argument
    add("--instructions", metavar="TEXT", help=f"what is to be done{_TEXT}")
    add("--acceptance", metavar="TEXT", help=f"how it is known to be done{_TEXT}")
    add("--branch", metavar="NAME", help="the branch to work on")
    add("--scope", metavar="WORD", help="what part of the code it is about; claims can ask for one")
    add(
        "--path",
        dest="paths",
        action="append",
        metavar="GLOB",
        help="files that it will change: no two claims overlap; may be repeated",
    )
    add(
        "--resource",
        dest="resources",
        action="append",
        metavar="NAME",
        help="a thing that one step at a time may have, or as many as step limit says; may be repeated",
    )
    add("--priority", type=count, metavar="N", help="from -100 to 100, higher goes first (0)")
    add("--num", type=count, metavar="N", help="its number in the project; else the next")
    add("--attempts", type=count, metavar="N", help="how many attempts may fail before it is parked (3)")
    add("--time-limit", type=duration, metavar="TIME", help="how long one attempt may take: 90m, 4h (4h)")
    add("--metadata", metavar="JSON", help="a JSON object, or @FILE with one")


def _add(parser: Parser) -> None:
    add = parser.add_argument
    add("project", metavar="PROJECT", type=filled, help="its name or id")
    add("title", metavar="TITLE", nargs="?", help="a line on what is to be done")
    _texts(parser)
    add(
        "--needs",
        type=_need,
        action="append",
        metavar="N[:merged][:cancel|continue]",
        help="a step that must be completed, or merged, before; and what to do if it fails; may be repeated",
    )
    steps_option(parser)
    key_option(parser)


def _edit(parser: Parser) -> None:
    _step(parser)
    parser.add_argument("--title", metavar="TEXT", help="a line on what is to be done")
    _texts(parser)
    parser.add_argument("--delay", type=duration, metavar="TIME", help="not before this time: 10m; 0 for now")


def _split(parser: Parser) -> None:
    _step(parser)
    parser.add_argument("titles", metavar="TITLE", nargs="*", help="a step of each")
    steps_option(parser)


def _needs(parser: Parser) -> None:
    _step(parser)
    add = parser.add_argument
    form = "N[:merged][:cancel|continue]"
    add("--add", type=_need, nargs="+", action="extend", default=[], metavar=form, help="needs these, too")
    add("--remove", type=count, nargs="+", action="extend", default=[], metavar="N", help="not these")


def _limit(parser: Parser) -> None:
    parser.add_argument("resource", metavar="RESOURCE", type=filled, help="its name, as steps name it")
    parser.add_argument("count", metavar="N", type=count, help="how many; 1 unless set")


def _list(parser: Parser) -> None:
    add = parser.add_argument
    add("project", metavar="PROJECT", nargs="?", type=filled, help="its name or id; else all")
    add("--status", dest="statuses", action="append", default=[], metavar="WORD", help="may be repeated")
    add("--scope", type=filled, metavar="WORD", help="only of this scope")
    add("--ready", action="store_true", help="those that can be claimed, in the order in which they would be")
    add("--limit", type=count, default=100, metavar="N", help="at most this many (100)")
    add("--after", metavar="PLACE", help="go on where an earlier list ended")


def _graph(parser: Parser) -> None:
    add = parser.add_argument
    add("project", metavar="PROJECT", type=filled, help="its name or id")
    add("--format", metavar="WORD", help="text, mermaid or svg; else as the file's name ends, or text")
    add("-o", "--output", metavar="FILE", help="a new file; else standard output")
    add("--all", action="store_true", help="as text: every step, however many")
    add("--force", action="store_true", help="overwrite the file")


def _claim(parser: Parser) -> None:
    add = parser.add_argument
    add("project", metavar="PROJECT", nargs="?", type=filled, help="only of this one: its name or id")
    add("--scope", type=filled, metavar="WORD", help="only of this scope")
    add("--step", type=filled, metavar="STEP", help="only this one: its id, or PROJECT/NUMBER")
    wait_option(parser, "a step")
    add("--start", action="store_true", help="begin at once")
    add(
        "--lease", type=duration, default=300.0, metavar="TIME", help="renew it before this time is over (5m)"
    )
    key_option(parser)


def _token(parser: Parser) -> None:
    add = parser.add_argument
    add(
        "--token", type=filled, metavar="TOKEN", help="the claim; else HUBBUB_CLAIM, or the only one you hold"
    )
    add("--step", type=filled, metavar="STEP", help="instead of a token: which of the steps that you hold")
    add("--attempt", type=count, metavar="N", help="refuse if your claim is not this attempt")


def _start(parser: Parser) -> None:
    _token(parser)
    parser.add_argument("--branch", metavar="NAME", help="the branch that is worked on")
    parser.add_argument("--worktree", metavar="FOLDER", help="where")


def _notes(parser: Parser) -> None:
    parser.add_argument("--notes", metavar="TEXT", help=f"for whoever is next{_TEXT}")


def _beat(parser: Parser) -> None:
    _token(parser)
    _notes(parser)


def _done(parser: Parser) -> None:
    _token(parser)
    add = parser.add_argument
    add("--commit", metavar="COMMIT", help="the commit that holds the work")
    add(
        "--file",
        dest="files",
        action="append",
        default=[],
        metavar="PATH",
        help="was changed; may be repeated",
    )
    add("--result", metavar="TEXT", help=f"for the steps that need this one{_TEXT}")
    _notes(parser)
    key_option(parser)


def _fail(parser: Parser) -> None:
    add = parser.add_argument
    add("reason", metavar="REASON", help=f"why{_TEXT}")
    _token(parser)
    add(
        "--class",
        dest="failure",
        default="task",
        metavar="WORD",
        help="task or timeout, which use up attempts; environment or rate_limited (task)",
    )
    add("--final", action="store_true", help="no more attempts")
    add("--delay", type=duration, metavar="TIME", help="not again before this time; else it grows: 30s, 1m")
    _notes(parser)
    key_option(parser)


def _release(parser: Parser) -> None:
    _token(parser)
    parser.add_argument(
        "--delay", type=duration, default=0, metavar="TIME", help="not again before this time"
    )
    _notes(parser)


def _merged(parser: Parser) -> None:
    _step(parser)
    parser.add_argument("--commit", metavar="COMMIT", help="the commit of the base that holds it")


def _cancel(parser: Parser) -> None:
    _step(parser)
    parser.add_argument("--reason", default="", metavar="TEXT", help="why")


def _retry(parser: Parser) -> None:
    _step(parser)
    parser.add_argument("--note", default="", metavar="TEXT", help="for whoever is next")


def _stale(parser: Parser) -> None:
    add = parser.add_argument
    add(
        "--idle",
        type=duration,
        default=120.0,
        metavar="TIME",
        help="claims not renewed for this long (2m): a server renews every 10 s, a shell with step beat",
    )
    add("--limit", type=count, default=100, metavar="N", help="at most this many (100)")


def _nothing(parser: Parser) -> None:
    return


def _reserve(parser: Parser) -> None:
    parser.epilog = f"{parser.epilog}; more: hubbub reserve list, renew, release or check"
    add = parser.add_argument
    add("globs", metavar="GLOB", nargs="+", help="like src/app.py, src/** or docs/*.md")
    _for(parser)
    add("--reason", default="", metavar="TEXT", help="why, for others")
    key_option(parser)


def _for(parser: Parser) -> None:
    parser.add_argument(
        "--for", dest="ttl", type=duration, default=3600.0, metavar="TIME", help="how long: 30m, 2h (1h)"
    )


def _reservation(parser: Parser) -> None:
    parser.add_argument("id", metavar="ID", type=filled, help="the reservation, or one of its globs")


def _reserve_renew(parser: Parser) -> None:
    _reservation(parser)
    _for(parser)


def _reserve_list(parser: Parser) -> None:
    parser.add_argument("--agent", type=filled, metavar="NAME", help="only what this one keeps")


def _check(parser: Parser) -> None:
    parser.add_argument("globs", metavar="GLOB", nargs="+", help="like src/app.py, src/** or docs/*.md")


BUILDERS: dict[str, Callable[[Parser], None]] = {
    "step add": _add,
    "step edit": _edit,
    "step split": _split,
    "step needs": _needs,
    "step limit": _limit,
    "step list": _list,
    "step show": _step,
    "step explain": _step,
    "step graph": _graph,
    "step claim": _claim,
    "step mine": _nothing,
    "step start": _start,
    "step beat": _beat,
    "step done": _done,
    "step fail": _fail,
    "step release": _release,
    "step merged": _merged,
    "step cancel": _cancel,
    "step retry": _retry,
    "step stale": _stale,
    "step recover": _step,
    "reserve": _reserve,
    "reserve list": _reserve_list,
    "reserve renew": _reserve_renew,
    "reserve release": _reservation,
    "reserve check": _check,
}
"""What adds the options of each of these commands."""
