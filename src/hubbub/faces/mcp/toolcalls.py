"""Calling tools: who acts, what the call settles, and what becomes of what it hands out."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import nullcontext
from typing import Any

from hubbub.bus import Bus
from hubbub.errors import Cancelled, HubbubError, InvalidArgument, SessionEnded, SessionSuperseded
from hubbub.faces.mcp.calls import Call
from hubbub.faces.mcp.claims import give_back as give_back_claims
from hubbub.faces.mcp.members import Members
from hubbub.faces.mcp.pending import NOTHING, Taken
from hubbub.faces.mcp.protocol import INVALID_PARAMS, ProtocolError, Request
from hubbub.faces.mcp.render import safe_json
from hubbub.faces.mcp.tools import Answer, Caller, Member, Tool, check_arguments
from hubbub.text import safe_line

_RENAMED = {
    "cursor_reset": "reset_cursor(topic, start)",
    "messages_search": "search_messages(query)",
    "messages_send": "send_message(to, body)",
    "topic_close": "close_topic(topic)",
    "topic_create": "create_topic(name)",
    "topic_export": "read_thread(thread='#NAME')",
    "topic_join": "join_topic(topic)",
    "topic_leave": "leave_topic(topic)",
    "topic_list": "list_topics()",
    "topic_read": "read_thread(thread='#NAME')",
    "topic_resolve": "list_topics(match=NAME)",
    "topic_sync": "sync(topic)",
    "mesh_listen": "receive_messages(wait_seconds=45)",
    "mesh_listen_once": "receive_messages(wait_seconds=45)",
    "mesh_pending": "list_pending()",
    "mesh_ping": "ping_agent(agent)",
    "mesh_register": "register_agent(name)",
    "mesh_reply": "send_message(in_reply_to, body)",
    "mesh_request": "request(to, body)",
    "mesh_send": "send_message(to, body)",
    "mesh_who": "list_agents()",
    "ping": "ping_agent(agent)",
}
"""What Agent Bus MCP, agent-mesh and models call tools that are there under another name."""


class ToolCalls:
    """The tool calls of one connection."""

    def __init__(self, bus: Bus, members: Members, tools: tuple[Tool, ...]) -> None:
        self._bus = bus
        self._members = members
        self._tools = {tool.name: tool for tool in tools}

    def call(self, request: Request, call: Call) -> tuple[dict[str, Any], Member | None, Answer | None]:
        """The result of a ``tools/call``, who acted, and the answer unless it is an error.

        What can be wrong with a call is a result for the model to read, not a protocol error.

        Raises:
            Cancelled: it was cancelled; what it had taken was given back.
            ProtocolError: there is no such tool.
        """
        tool = self._tools.get(str(request.params.get("name")))
        renamed = _RENAMED.get(str(request.params.get("name")))
        if tool is None and renamed is not None and renamed.partition("(")[0] in self._tools:
            name = request.params["name"]
            return (
                error_result(InvalidArgument(f"There is no tool {name}.", hint=f"Use {renamed}.")),
                None,
                None,
            )
        if tool is None:
            raise ProtocolError(INVALID_PARAMS, f"Unknown tool: {ascii(request.params.get('name'))[:100]}")
        member: Member | None = None
        due = NOTHING
        try:
            given = check_arguments(tool, request.params.get("arguments"))
            as_agent = given.pop("as_agent", None)
            if tool.name == "register_agent":
                # It may be how an agent whose own name could not be had gets one.
                member = self._members.current()
            else:
                member = self._members.acting(as_agent)
                self._note_client_session(member, request)
            own = Taken(_named(given))
            due = member.pending.due(request.offset, own) if member is not None else NOTHING
            caller = Caller(self._bus, self._members, member, due, "sync" in self._tools)
            with member.activity.call(tool.name) if member is not None else nullcontext():
                answer = self._run(tool, caller, given, call, request.offset)
        except Cancelled:
            if member is not None:
                # It is settled first of all, before a call can wait.
                member.pending.forget(due, request.offset)
            raise
        except HubbubError as error:
            if member is not None and isinstance(error, SessionSuperseded | SessionEnded):
                self._members.note_lost(member)
            return error_result(error), member, None
        if member is not None:
            member.pending.forget(due, request.offset)
            member.pending.forget(own)
        return result_of(answer), member, answer

    def _run(self, tool: Tool, caller: Caller, given: dict[str, Any], call: Call, offset: int) -> Answer:
        due = caller.due
        first = Taken(
            () if tool.settles == "mail" else due.mail, () if tool.settles == "hands" else due.hands
        )
        if first != NOTHING:
            actor = caller.member.seat.actor
            self._bus.mail.settle_implicitly(actor, first.mail)
            self._bus.topics.confirm(actor, first.hands)
            caller.member.pending.forget(first, offset)
        outcome = tool.handle(caller, given)
        if isinstance(outcome, Generator):
            outcome = call.drive(outcome)
        if call.cancelled:
            self.give_back(caller.member, outcome.handed)
            raise Cancelled("The call was cancelled.")
        return outcome

    def withdraw(self, request_id: Any) -> list[tuple[Member, Taken]]:
        """The client cancelled a call that was answered already, and will not look at the answer: what
        is to be given back, to whom. From here on no call settles it."""
        found = [(member, member.pending.withdraw(request_id)) for member in self._members.every()]
        return [(member, taken) for member, taken in found if taken != NOTHING]

    def give_back(self, member: Member, taken: Taken) -> None:
        """The member has not had this: it can be had again, as if it had never been handed out."""
        if taken.claims:
            give_back_claims(self._bus, member, taken.claims)
        self._bus.mail.take_back(member.seat.actor, taken.mail)
        try:
            self._bus.topics.take_back(member.seat.actor, taken.hands)
        except HubbubError:
            return  # it comes back by itself when its time is up, or the session ends

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


def _named(given: dict[str, Any]) -> tuple[str, ...]:
    """The messages that a call is about: it decides itself what becomes of them."""
    ids = [*(given.get("ids") or ()), *(given.get("release") or ()), given.get("in_reply_to")]
    return tuple(id_ for id_ in ids if isinstance(id_, str))
