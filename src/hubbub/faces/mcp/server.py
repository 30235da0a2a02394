"""The server on standard input and output: reads requests, answers each in a thread of its own."""

from __future__ import annotations

import json
import threading
import traceback
from collections.abc import Callable
from functools import partial
from typing import Any

from hubbub.bus import Bus
from hubbub.errors import Cancelled, HubbubError, TooManyCalls
from hubbub.faces.mcp import protocol
from hubbub.faces.mcp.calls import Call
from hubbub.faces.mcp.claims import adopt
from hubbub.faces.mcp.instructions import instructions
from hubbub.faces.mcp.lines import LINE_MAX, Line, LineReader, LineWriter, guess_id
from hubbub.faces.mcp.members import Members
from hubbub.faces.mcp.pending import NOTHING
from hubbub.faces.mcp.protocol import ProtocolError, Request, finish
from hubbub.faces.mcp.resources import RESOURCES, TEMPLATES, read_resource
from hubbub.faces.mcp.subscriptions import Subscriptions, known_uri
from hubbub.faces.mcp.toolcalls import ToolCalls, error_result
from hubbub.faces.mcp.tools import Member, Tool
from hubbub.faces.mcp.toolsets import ALL_TOOLS
from hubbub.faces.mcp.waking import Waking
from hubbub.faces.mcp.workers import Workers

CALLS_MAX = 64
"""Calls under way at once in one server."""

REGISTER_SECONDS = 1.0
"""How long the first answer waits for the agent's registration, so that it can say its name."""


class Server:
    """One connection to one client."""

    def __init__(
        self,
        bus: Bus,
        reader: LineReader,
        writer: LineWriter,
        *,
        agent: str | None = None,
        tools: tuple[Tool, ...] = ALL_TOOLS,
        modern: bool = True,
    ) -> None:
        """``agent`` is the name to take (``HUBBUB_AGENT``), if given; ``modern`` allows the newer era."""
        self._bus = bus
        self._reader = reader
        self._writer = writer
        self._modern = modern
        self._workers = Workers()
        self._members = Members(bus, agent, self._joined)
        self._waking = Waking(bus, self._members)
        self._definitions = [tool.definition() for tool in tools]
        self._tool_calls = ToolCalls(bus, self._members, tools)
        self._calls: dict[Any, Call] = {}
        self._calls_lock = threading.Lock()
        self._subscriptions = Subscriptions(bus, self._members, self._notify)
        self._methods: dict[str, Callable[[Request], Any]] = {
            "initialize": self._initialize,
            "server/discover": self._discover,
            "ping": lambda request: {},
            "tools/list": lambda request: self._listing(request, {"tools": self._definitions}, "public"),
            "resources/list": lambda request: self._listing(
                request, {"resources": list(RESOURCES)}, "public"
            ),
            "resources/templates/list": lambda request: self._listing(
                request, {"resourceTemplates": list(TEMPLATES)}, "public"
            ),
        }
        self._slow_methods: dict[str, Callable[[Request, Call], Any]] = {
            "tools/call": self._call_tool,
            "resources/read": lambda request, call: self._read_resource(request),
            "resources/subscribe": lambda request, call: self._subscriptions.subscribe(request),
            "resources/unsubscribe": lambda request, call: self._subscriptions.unsubscribe(request),
            "subscriptions/listen": lambda request, call: self._subscriptions.listen(request, call),
        }

    def _joined(self, member: Member) -> None:
        """A name was taken; it must not wait."""
        if self._waking.wanted():
            self._workers.run(self._waking.begin)
        self._resume(member)

    def _resume(self, member: Member) -> None:
        """Renew from now on what an earlier session of the agent had claimed: it may be at work on it, and
        need not say so. Whoever gets a made-up name next is somebody else."""
        if not member.goes_on:
            return

        def renew() -> None:
            adopt(self._bus, member)

        self._workers.run(renew)

    def run(self) -> None:
        """Serve until the input ends."""
        try:
            for line in self._reader:
                if line.too_long:
                    error = f"The line is longer than {LINE_MAX >> 20} MiB and was not read"
                    self._fail(guess_id(line.data), protocol.INVALID_REQUEST, error)
                elif line.data.strip():
                    self._on_line(line)
                if self._writer.broken:
                    break
        finally:
            self.close()

    def close(self) -> None:
        """Cancel what is under way and end the sessions."""
        self._subscriptions.close()
        with self._calls_lock:
            calls = list(self._calls.values())
        for call in calls:
            call.cancel()
        self._waking.close()
        self._workers.join(2.0)
        self._members.close()

    # --- reading -----------------------------------------------------------------------------

    def _on_line(self, line: Line) -> None:
        try:
            message = json.loads(line.data)
        except (ValueError, RecursionError):
            self._fail(None, protocol.PARSE_ERROR, "The line is not JSON")
            return
        if not isinstance(message, dict):
            self._fail(None, protocol.INVALID_REQUEST, "Not a JSON-RPC object (batches are not spoken)")
        elif "method" not in message:
            return  # an answer to a request, of which this server makes none
        elif "id" not in message:
            self._on_notification(message)
        else:
            self._on_request(message, line.offset)

    def _on_notification(self, message: dict[str, Any]) -> None:
        params = message.get("params")
        if message["method"] != "notifications/cancelled" or not isinstance(params, dict):
            return
        request_id = params.get("requestId")
        if isinstance(request_id, bool) or not isinstance(request_id, str | int):
            return
        self._subscriptions.stop(request_id)
        with self._calls_lock:
            call = self._calls.get(request_id)
        if call is not None:
            call.cancel()
        # Its answer may be on its way out: what that hands out must not count as had by the next call,
        # which this thread reads next. An answer that is not begun yet is not written any more.
        for member, taken in self._tool_calls.withdraw(request_id):
            self._workers.run(partial(self._tool_calls.give_back, member, taken))

    def _on_request(self, message: dict[str, Any], offset: int) -> None:
        id_ = message.get("id")
        try:
            request = protocol.parse_request(message, offset)
            request.check_envelope()
            if request.modern and not self._modern:
                raise ProtocolError(protocol.METHOD_NOT_FOUND, "Method not found")
            if request.modern and request.method in protocol.HANDSHAKE_METHODS:
                raise ProtocolError(protocol.METHOD_NOT_FOUND, "Method not found")
            self._members.meet(request.client_info)
            slow = self._slow_methods.get(request.method)
            if slow is not None:
                self._start(request, slow)
                return
            method = self._methods.get(request.method)
            if method is None:
                raise ProtocolError(protocol.METHOD_NOT_FOUND, f"Method not found: {request.method[:100]}")
            self._answer(request.id, method(request))
        except ProtocolError as error:
            self._writer.write({"jsonrpc": "2.0", "id": _valid_id(id_), "error": error.error})

    def _start(self, request: Request, method: Callable[[Request, Call], Any]) -> None:
        """Answer in a thread, so that a call that waits holds up no other."""
        token = request.progress_token
        call = Call(None if token is None else lambda waited: self._progress(token, waited))
        with self._calls_lock:
            full = len(self._calls) >= CALLS_MAX
            if not full:
                self._calls[request.id] = call
        if full:
            error = TooManyCalls(f"This server already serves {CALLS_MAX} calls.")
            if request.method != "tools/call":
                raise ProtocolError(protocol.INTERNAL_ERROR, error.message, error.as_dict())
            self._answer(request.id, finish(request, error_result(error)))
            return
        self._workers.run(lambda: self._serve(request, call, method))

    def _serve(self, request: Request, call: Call, method: Callable[[Request, Call], Any]) -> None:
        try:
            result = method(request, call)
            if result is not None:
                self._answer(request.id, result)
        except Cancelled:
            return
        except ProtocolError as error:
            self._writer.write({"jsonrpc": "2.0", "id": request.id, "error": error.error})
        except HubbubError as error:
            self._fail(request.id, protocol.INTERNAL_ERROR, error.message, error.as_dict())
        except Exception:  # the client gets an answer, and the person the trace
            traceback.print_exc()
            self._fail(
                request.id, protocol.INTERNAL_ERROR, "Internal error; the server's standard error says more"
            )
        finally:
            with self._calls_lock:
                if self._calls.get(request.id) is call:
                    del self._calls[request.id]

    # --- answering ---------------------------------------------------------------------------

    def _answer(self, request_id: Any, result: Any) -> None:
        self._writer.write({"jsonrpc": "2.0", "id": request_id, "result": result})

    def _fail(self, request_id: Any, code: int, message: str, data: Any = None) -> None:
        error = ProtocolError(code, message, data).error
        self._writer.write({"jsonrpc": "2.0", "id": request_id, "error": error})

    def _progress(self, token: Any, waited: float) -> None:
        params = {"progressToken": token, "progress": round(waited), "message": "waiting"}
        self._notify("notifications/progress", params)

    def _notify(self, method: str, params: dict[str, Any]) -> None:
        self._writer.write({"jsonrpc": "2.0", "method": method, "params": params})

    # --- methods -----------------------------------------------------------------------------

    def _instructions(self) -> str:
        """What a model should know first; registers the agent, without keeping the client waiting."""
        done = threading.Event()

        def register() -> None:
            try:
                self._members.default()
            except HubbubError:
                return  # the first call of a tool tries again and says why
            finally:
                done.set()

        self._workers.run(register)
        done.wait(REGISTER_SECONDS)
        member = self._members.current()
        tools = frozenset(definition["name"] for definition in self._definitions)
        return instructions(member.seat.agent.name if member else None, tools)

    def _initialize(self, request: Request) -> dict[str, Any]:
        return {
            "protocolVersion": protocol.negotiate(request.params),
            "capabilities": protocol.CAPABILITIES,
            "serverInfo": protocol.SERVER_INFO,
            "instructions": self._instructions(),
        }

    def _discover(self, request: Request) -> Any:
        if not request.modern:
            raise ProtocolError(protocol.METHOD_NOT_FOUND, "Method not found")
        result = {
            "supportedVersions": list(protocol.MODERN_VERSIONS),
            "capabilities": protocol.CAPABILITIES,
            "instructions": self._instructions(),
        }
        return finish(request, result, ttl_ms=0)

    def _listing(self, request: Request, result: dict[str, Any], scope: str) -> Any:
        return finish(request, result, ttl_ms=protocol.LIST_TTL_MS, scope=scope)

    def _call_tool(self, request: Request, call: Call) -> None:
        with self._waking.call():
            result, member, answer = self._tool_calls.call(request, call)
        handed = answer.handed if answer is not None else NOTHING
        noted = written = False

        def note() -> bool:
            nonlocal noted
            if member is not None and answer is not None and handed != NOTHING:
                noted = True
                horizon = self._reader.horizon()
                member.pending.note(request.id, horizon, handed, implicit=answer.implicit)
            # A cancellation that comes after this look finds what was noted before it.
            return not call.cancelled

        try:
            line = {"jsonrpc": "2.0", "id": request.id, "result": finish(request, result)}
            written = self._writer.write(line, before=note)
            if written and noted and member is not None:
                member.pending.written(request.id)
        finally:
            if not written and member is not None:
                back = member.pending.withdraw(request.id) if noted else handed
                self._tool_calls.give_back(member, back)

    def _read_resource(self, request: Request) -> Any:
        uri = known_uri(self._bus, request)
        contents = read_resource(self._bus, uri, self._members.default().seat.agent.name)
        return finish(request, {"contents": [contents]}, ttl_ms=0)


def _valid_id(id_: Any) -> Any:
    return id_ if isinstance(id_, str | int) and not isinstance(id_, bool) else None
