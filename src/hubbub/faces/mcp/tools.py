"""The tool registry: definitions that any transport lists, and handlers that any transport calls."""

from __future__ import annotations

import json
from collections.abc import Callable, Generator
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias

from hubbub.bus import Bus, Pause, Seat
from hubbub.errors import InvalidArgument, NotRegistered
from hubbub.faces.mcp.answering import Activity
from hubbub.faces.mcp.kept_claims import KeptClaims
from hubbub.faces.mcp.pending import NOTHING, Pending, Taken
from hubbub.names import nearest, quoted

if TYPE_CHECKING:
    from hubbub.faces.mcp.members import Members


class Answer(NamedTuple):
    """What a tool answers."""

    text: str
    """The whole content for a model: lean, many short lines, never a bare number or list."""
    data: dict[str, Any]
    """The same as an object."""
    handed: Taken = NOTHING
    """What this answer hands out: a cancelled call gives it back."""
    implicit: bool = True
    """What was handed out is settled once the client has evidently had the answer."""


class Member:
    """A name that a connection acts under."""

    __slots__ = ("activity", "claims", "goes_on", "lost", "made_up", "pending", "seat")

    def __init__(self, seat: Seat, made_up: bool, goes_on: bool = True) -> None:
        self.seat = seat
        self.made_up = made_up
        """The server chose the name, not the person or the model."""
        self.goes_on = goes_on
        """The name says who it is: it was given, or the client's own session had it before. One that was made
        from the client's name goes to whoever comes next."""
        self.lost = False
        self.pending = Pending()
        self.claims = KeptClaims()
        self.activity = Activity()


class Caller(NamedTuple):
    """Who calls a tool, and what the tool may use."""

    bus: Bus
    members: Members
    """All the names that the connection acts under."""
    acting: Member | None
    due: Taken = NOTHING
    """What earlier calls handed out and this one settles; a tool takes on itself the part that it names
    in :attr:`Tool.settles`."""
    topics: bool = False
    """The server offers the tools of topics: an answer may point to them."""

    @property
    def member(self) -> Member:
        """Who acts. Raises NotRegistered while the connection has no name yet."""
        if self.acting is None:
            raise NotRegistered(
                "This server has no name on the bus yet.", hint="Call register_agent with a name."
            )
        return self.acting


ToolResult: TypeAlias = "Answer | Generator[Pause, None, Answer]"


class Tool(NamedTuple):
    """One tool."""

    name: str
    description: str
    parameters: dict[str, dict[str, Any]]
    required: tuple[str, ...]
    hints: dict[str, bool]
    handle: Callable[[Caller, dict[str, Any]], ToolResult]
    settles: str = ""
    """The tool settles ``mail`` or ``hands`` of :attr:`Caller.due` itself, in the same stroke."""
    aliases: tuple[tuple[str, str], ...] = ()
    """Other names that callers give arguments, and those that they mean."""
    unlisted: tuple[tuple[str, dict[str, Any]], ...] = ()
    """Parameters that are taken but not listed: a model pays for each that is, and is told of these where
    it needs them."""

    def definition(self) -> dict[str, Any]:
        """The tool as ``tools/list`` shows it."""
        schema: dict[str, Any] = {"type": "object", "properties": self.parameters}
        if self.required:
            schema["required"] = list(self.required)
        return {
            "name": self.name,
            "description": self.description,
            "inputSchema": schema,
            # What only reads needs to say no more: clients ask nobody before they call it.
            "annotations": dict(self.hints)
            if self.hints == READS
            else {**self.hints, "openWorldHint": False},
        }


READS = {"readOnlyHint": True}
ADDS = {"destructiveHint": False}
RETRIABLE = {"destructiveHint": False, "idempotentHint": True}
DESTROYS = {"destructiveHint": True}

TEXT = {"type": "string"}
NUMBER = {"type": "number"}
FLAG = {"type": "boolean"}


_INSTEAD = {
    "agent_id": "Who acts is the name of this session; as_agent is another one of this server, agent in "
    "get_metrics and get_agent_events whom to look at. ",
    **dict.fromkeys(
        ("sync.message", "sync.messages", "sync.body", "sync.content", "sync.text", "sync.post"),
        "What is to be posted goes into outbox, a list: outbox=[{'body': TEXT}]. ",
    ),
    "last_seq": "sync keeps your place by itself; reset_cursor(start=NUMBER) moves it, and read_thread("
    "after=NUMBER) reads from there. ",
    "sync.reply_to": "It goes into the item of the outbox: outbox=[{'body': TEXT, 'reply_to': ID}]. ",
}
"""What to give instead of arguments that other systems know: of all tools, or of one as ``tool.argument``."""

_NUMBERS_TOO = ("start", "step_id", "instead_of", "commit_hash", "base_commit")
"""Texts that may look like a number, and are then written as one."""


def check_arguments(tool: Tool, given: object) -> dict[str, Any]:
    """The arguments of a call, with types as the tool's schema has them.

    Models write numbers as text now and then; what can only mean one thing is taken so.

    Raises:
        InvalidArgument: an argument is unknown, missing or of the wrong type.
    """
    if given is None:
        given = {}
    if not isinstance(given, dict):
        raise InvalidArgument("The arguments must be an object.")
    for name, meant in tool.aliases:
        if name in given and meant not in given:
            given = {meant if each == name else each: value for each, value in given.items()}
    parameters = {**tool.parameters, **dict(tool.unlisted)}
    return check_fields(tool.name, "argument", parameters, tool.required, given)


def check_fields(
    owner: str,
    what: str,
    parameters: dict[str, dict[str, Any]],
    required: tuple[str, ...],
    given: dict[Any, Any],
) -> dict[str, Any]:
    """The fields of an object, with types as ``parameters`` have them; ``what`` is what a field is called.

    Raises:
        InvalidArgument: a field is unknown, missing or of the wrong type.
    """
    checked: dict[str, Any] = {}
    for name, value in given.items():
        schema = parameters.get(name)
        if schema is None:
            near = nearest(name, parameters, 1)
            told = _INSTEAD.get(f"{owner}.{name}") or _INSTEAD.get(str(name))
            known = told or (f"Did you mean {near[0]}? " if near else "")
            raise InvalidArgument(
                f"{owner} has no {what} {quoted(name, 60)}.",
                hint=f"{known}It takes: {', '.join(parameters)}.",
            )
        if value is not None:
            checked[name] = _typed(name, schema, value)
    for name in required:
        if name not in checked:
            raise InvalidArgument(f"{owner} needs the {what} {name}.")
    return checked


def _typed(name: str, schema: dict[str, Any], value: Any) -> Any:
    kind = schema["type"]
    if isinstance(value, str) and kind != "string":
        value = _read(name, value, schema)
    elif isinstance(value, dict) and _of_objects(schema):
        value = [value]
    elif kind == "string" and name in _NUMBERS_TOO and isinstance(value, int) and not isinstance(value, bool):
        value = str(value)
    fits = {
        "string": isinstance(value, str) or (name == "to" and isinstance(value, list)),
        "number": isinstance(value, int | float) and not isinstance(value, bool),
        "integer": isinstance(value, int | float) and not isinstance(value, bool),
        "boolean": isinstance(value, bool),
        "array": isinstance(value, list),
        "object": isinstance(value, dict),
    }
    if not fits[kind]:
        wanted = {"object": "an object", "array": "a list", "integer": "a whole number"}.get(
            kind, f"a {kind}"
        )
        raise InvalidArgument(f"{name} must be {wanted}.")
    known = schema.get("enum")
    if known and value not in known:
        near = nearest(str(value), known, 1)
        hint = (f"Did you mean {near[0]}? " if near else "") + f"Known: {', '.join(known)}."
        raise InvalidArgument(f"{name} can't be {quoted(value, 60)}.", hint=hint)
    return value


def _read(name: str, value: str, schema: dict[str, Any]) -> Any:
    """What a text stands for where the schema wants something else."""
    if _of_objects(schema):
        return _read_objects(name, value)
    kind = schema["type"]
    if kind == "array" and not value.lstrip().startswith("["):
        return [part for part in value.replace(",", " ").split() if part]
    try:
        return json.loads(value)
    except (ValueError, RecursionError):
        return value


def _of_objects(schema: dict[str, Any]) -> bool:
    return bool(schema["type"] == "array" and schema["items"]["type"] == "object")


def _read_objects(name: str, value: str) -> list[Any]:
    """A list of objects in JSON, or one object; any other text is one item by itself.

    Raises:
        InvalidArgument: it begins as JSON and isn't. Only messages begin with a bracket and mean themselves.
    """
    if not value.strip():
        return []
    try:
        read = json.loads(value)
    except (ValueError, RecursionError) as error:
        if name != "outbox" and value.lstrip()[0] in "[{":
            raise InvalidArgument(
                f"{name} is not valid JSON: {error}.", hint=f"Give {name} as a list, not as a text."
            ) from None
        read = value
    if isinstance(read, list):
        return read
    if read is None:
        return []
    return [read if isinstance(read, dict | str) else value]
