"""Calling tools: who acts, what the call settles, and what becomes of what it hands out."""

from __future__ import annotations

from collections.abc import Generator
from typing import Any

from hubbub.bus import Bus
from hubbub.errors import Cancelled, HubbubError, SessionEnded, SessionSuperseded
from hubbub.faces.mcp.calls import Call
from hubbub.faces.mcp.members import Members
from hubbub.faces.mcp.protocol import INVALID_PARAMS, ProtocolError, Request
from hubbub.faces.mcp.render import safe_json
from hubbub.faces.mcp.tools import Answer, Caller, Member, Tool, check_arguments
from hubbub.text import safe_line


class ToolCalls:
    """The tool calls of one connection."""

    def __init__(self, bus: Bus, members: Members, tools: tuple[Tool, ...]) -> None:
        self._bus = bus
        self._members = members
        self._tools = {tool.name: tool for tool in tools}

    def call(self, request: Request, call: Call) -> tuple[dict[str, Any], Member | None, tuple[str, ...]]:
        """The result of a ``tools/call``, who acted, and the messages that it hands out.

        What can be wrong with a call is a result for the model to read, not a protocol error.

        Raises:
            Cancelled: it was cancelled; what it had taken was given back.
            ProtocolError: there is no such tool.
        """
        tool = self._tools.get(str(request.params.get("name")))
        if tool is None:
            raise ProtocolError(INVALID_PARAMS, f"Unknown tool: {ascii(request.params.get('name'))[:100]}")
        member: Member | None = None
        try:
            given = check_arguments(tool, request.params.get("arguments"))
            as_agent = given.pop("as_agent", None)
            if tool.name == "register_agent":
                # It may be how an agent whose own name could not be had gets one.
                member = self._members.current()
                caller = Caller(self._bus, self._members, member)
            else:
                member = self._members.acting(as_agent)
                self._note_client_session(member, request)
                due = self._due(member, tool, given, request.offset)
                caller = Caller(self._bus, self._members, member, due)
            answer = self._run(tool, caller, given, call)
        except Cancelled:
            raise
        except HubbubError as error:
            if member is not None and isinstance(error, SessionSuperseded | SessionEnded):
                member.lost = True
            return error_result(error), member, ()
        if tool.settles and member is not None:
            self._forget(member, caller.settle)
        return result_of(answer), member, answer.handed

    def _run(self, tool: Tool, caller: Caller, given: dict[str, Any], call: Call) -> Answer:
        if caller.settle and not tool.settles:
            self._bus.mail.settle_implicitly(caller.member.seat.actor, caller.settle)
            self._forget(caller.member, caller.settle)
        outcome = tool.handle(caller, given)
        if isinstance(outcome, Generator):
            outcome = call.drive(outcome)
        if call.cancelled:
            self._bus.mail.take_back(caller.member.seat.actor, outcome.handed)
            raise Cancelled("The call was cancelled.")
        return outcome

    def _due(self, member: Member, tool: Tool, given: dict[str, Any], offset: int) -> tuple[str, ...]:
        """What the member was handed in answers that the client evidently had before this call
        began, but for the messages that the call itself is about."""
        own: set[Any] = set()
        if tool.name == "acknowledge":
            own.update(given.get("ids") or [], given.get("release") or [])
        own.add(given.get("in_reply_to"))
        due = [ids for horizon, ids in list(member.pending.values()) if horizon <= offset]
        return tuple(id_ for ids in due for id_ in ids if id_ not in own)

    def _forget(self, member: Member, settled: tuple[str, ...]) -> None:
        gone = set(settled)
        for request_id, (horizon, ids) in list(member.pending.items()):
            rest = tuple(id_ for id_ in ids if id_ not in gone)
            if rest:
                member.pending[request_id] = (horizon, rest)
            else:
                member.pending.pop(request_id, None)

    def take_back(self, request_id: Any) -> None:
        """The client cancelled a call that was answered already: it will not look at the answer."""
        for name in self._members.names():
            member = self._members.acting(name)
            _, ids = member.pending.pop(request_id, (0, ()))
            if ids:
                self._bus.mail.take_back(member.seat.actor, ids)

    def _note_client_session(self, member: Member, request: Request) -> None:
        told = request.meta.get("threadId")
        if isinstance(told, str):
            self._members.note_client_session(member, told)


def result_of(answer: Answer) -> dict[str, Any]:
    """An answer as a tool result."""
    return {"content": [{"type": "text", "text": answer.text}], "structuredContent": answer.data}


def error_result(error: HubbubError) -> dict[str, Any]:
    """An error as a tool result that a model can act on."""
    text = f"{error.code}: {safe_line(error.message)}"
    if error.hint:
        text += f"\n{safe_line(error.hint)}"
    result = result_of(Answer(text, {"error": safe_json(error.as_dict())}))
    result["isError"] = True
    return result
