"""The options of request, ping and pending."""

from __future__ import annotations

from collections.abc import Callable

from hubbub.faces.cli.arguments import (
    Parser,
    body_argument,
    count,
    duration,
    filled,
    reply_within_option,
)

__all__ = ["BUILDERS"]

WAIT_SECONDS = 180
"""How long ``request`` waits where it is not said."""

DEBTS_SHOWN = 1000


def _request(parser: Parser) -> None:
    add = parser.add_argument
    add("to", metavar="TO", type=filled, help="the agent to ask")
    body_argument(parser)
    add(
        "--wait",
        type=duration,
        default=WAIT_SECONDS,
        metavar="TIME",
        help=f"how long to wait for the answer ({WAIT_SECONDS}s); later it comes to the inbox",
    )
    add("-k", "--kind", default="question", metavar="WORD", help="question (unless given), task, ...")
    add("-s", "--subject", default="", metavar="TEXT", help="a line on what it is about")
    add("-p", "--priority", default="normal", metavar="WORD", help="urgent, normal or low")
    add("--thread", metavar="NAME", help="a thread to add to: its name, or the id of a message in it")
    add("--metadata", metavar="JSON", help="a JSON object, or @FILE with one")
    reply_within_option(parser)
    add("--key", metavar="KEY", help="an idempotency key: a retry with it waits on for the same answer")


def _ping(parser: Parser) -> None:
    add = parser.add_argument
    add("name", metavar="NAME", type=filled, help="the agent")
    add("--count", type=count, default=1, metavar="N", help="how many times, a second apart (1)")
    add("--timeout", type=duration, default=5, metavar="TIME", help="how long to wait for each answer (5s)")


def _pending(parser: Parser) -> None:
    add = parser.add_argument
    add("name", metavar="NAME", nargs="?", type=filled, help="the agent; else the one to act for")
    add("--all", action="store_true", help="every answer that is owed on the bus")
    add("--closed", action="store_true", help="also those that were given, declined or waived")
    add("--limit", type=count, default=DEBTS_SHOWN, metavar="N", help=f"at most this many ({DEBTS_SHOWN})")
    add("--after", type=count, default=0, metavar="SEQ", help="go on where an earlier list ended")


def _waive(parser: Parser) -> None:
    add = parser.add_argument
    add("id", metavar="ID", type=filled, help="the message that asked")
    add(
        "--of", metavar="NAME", type=filled, help="only the answer of this agent; else of all that were asked"
    )
    add("--reason", default="", metavar="TEXT", help="why it is no longer wanted")


BUILDERS: dict[str, Callable[[Parser], None]] = {
    "request": _request,
    "ping": _ping,
    "pending": _pending,
    "pending waive": _waive,
}
