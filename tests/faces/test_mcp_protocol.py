"""The protocol itself: both eras, bad input, the end."""

from __future__ import annotations

import json
import os
import signal
import sys
import threading
from pathlib import Path
from typing import Any

import anyio
import pytest

import hubbub
from hubbub.errors import Cancelled
from hubbub.faces.mcp import calls
from hubbub.faces.mcp.lines import LineReader, LineWriter
from hubbub.faces.mcp.server import Server
from mcp import Client, StdioServerParameters
from tests.faces.mcp_support import (
    DEADLINE,
    ENVELOPE,
    RawServer,
    bus_at,
    environment,
    over_client,
    server_arguments,
    use,
)

UPDATED = "notifications/resources/updated"


def modern(server: RawServer, method: str, **params: Any) -> dict[str, Any]:
    return server.ask(method, {**params, "_meta": ENVELOPE})


def test_the_handshake_speaks_the_clients_version_or_the_newest(tmp_path: Path) -> None:
    with RawServer(bus_at(tmp_path), "alice", hello=False) as server:
        for asked, spoken in (
            ("2024-11-05", "2024-11-05"),
            ("2025-06-18", "2025-06-18"),
            ("2031-01-01", "2025-11-25"),
        ):
            result = server.ask("initialize", {"protocolVersion": asked, "capabilities": {}})["result"]
            assert result["protocolVersion"] == spoken
        assert result["serverInfo"]["name"] == "hubbub"
        assert 'You are "alice"' in result["instructions"]
        assert result["capabilities"] == {"tools": {}, "resources": {"subscribe": True}}
        assert server.ask("ping")["result"] == {}


def test_the_newer_era_has_no_handshake(tmp_path: Path) -> None:
    with RawServer(bus_at(tmp_path), "alice", hello=False) as server:
        found = modern(server, "server/discover")["result"]
        assert found["supportedVersions"] == ["2026-07-28"]
        assert found["resultType"] == "complete"
        assert found["_meta"]["io.modelcontextprotocol/serverInfo"]["name"] == "hubbub"
        tools = modern(server, "tools/list")["result"]
        assert (tools["ttlMs"] > 0, tools["cacheScope"]) == (True, "public")
        called = modern(server, "tools/call", name="list_agents", arguments={})["result"]
        assert called["structuredContent"]["you"] == "alice"
        assert called["resultType"] == "complete"
        read = modern(server, "resources/read", uri="hubbub://inbox")["result"]
        assert (read["ttlMs"], read["cacheScope"]) == (0, "private")
        assert modern(server, "ping")["error"]["code"] == -32601
        missing = modern(server, "resources/read", uri="hubbub://nothing")["error"]
        assert missing["code"] == -32602


def test_an_unknown_version_and_a_missing_envelope_are_refused(tmp_path: Path) -> None:
    with RawServer(bus_at(tmp_path), "alice", hello=False) as server:
        other = {**ENVELOPE, "io.modelcontextprotocol/protocolVersion": "2030-01-01"}
        error = server.ask("server/discover", {"_meta": other})["error"]
        assert error["code"] == -32022
        assert error["data"] == {"supported": ["2026-07-28"], "requested": "2030-01-01"}
        bare = {"io.modelcontextprotocol/protocolVersion": "2026-07-28"}
        assert server.ask("tools/list", {"_meta": bare})["error"]["code"] == -32602


def test_the_legacy_era_alone_on_request(tmp_path: Path) -> None:
    with RawServer(bus_at(tmp_path), "alice", "--era", "legacy", hello=False) as server:
        assert modern(server, "server/discover")["error"]["code"] == -32601
        assert server.hello()["result"]["protocolVersion"] == "2025-11-25"


@pytest.mark.parametrize(
    ("line", "code"),
    [
        (b"this is not JSON\n", -32700),
        (b'{"jsonrpc":"2.0","id":1,"method":\n', -32700),
        (b"\xff\xfe\x00\n", -32700),
        (b"[" * 100_000 + b"\n", -32700),
        (b"[]\n", -32600),
        (b"7\n", -32600),
        (b'{"jsonrpc":"2.0","id":null,"method":"ping"}\n', -32600),
        (b'{"jsonrpc":"2.0","id":{"a":1},"method":"ping"}\n', -32600),
        (b'{"jsonrpc":"2.0","id":true,"method":"ping"}\n', -32600),
        (b'{"jsonrpc":"1.0","id":5,"method":"ping"}\n', -32600),
        (b'{"jsonrpc":"2.0","id":5,"method":"ping","params":[1]}\n', -32602),
        (b'{"jsonrpc":"2.0","id":5,"method":"no/such/method"}\n', -32601),
        (b'{"jsonrpc":"2.0","id":5,"method":"tools/call","params":{"name":"no_such_tool"}}\n', -32602),
    ],
)
def test_rubbish_gets_an_error_and_the_server_lives(tmp_path: Path, line: bytes, code: int) -> None:
    with RawServer(bus_at(tmp_path), "alice") as server:
        server.write(line)
        assert server.read()["error"]["code"] == code
        assert server.use("list_agents")["you"] == "alice"


def test_rubbish_that_asks_nothing_is_ignored(tmp_path: Path) -> None:
    with RawServer(bus_at(tmp_path), "alice") as server:
        server.write(b"\n   \n")
        server.send(
            {"jsonrpc": "2.0", "method": "notifications/no_such"}, {"jsonrpc": "2.0", "id": 9, "result": {}}
        )
        server.send({"jsonrpc": "2.0", "method": "notifications/cancelled", "params": {"requestId": [1]}})
        assert server.use("list_agents")["you"] == "alice"


def test_a_line_of_fifty_megabytes_gets_an_error_with_its_id(tmp_path: Path) -> None:
    with RawServer(bus_at(tmp_path), "alice") as server:
        start = b'{"jsonrpc":"2.0","id":"big","method":"tools/call","params":{"arguments":{"body":"'
        server.write(start + b"x" * 50_000_000 + b'"}}}\n')
        answer = server.read()
        assert (answer["id"], answer["error"]["code"]) == ("big", -32600)
        assert "longer than" in answer["error"]["message"]
        assert server.use("list_agents")["you"] == "alice"
        with open(f"/proc/{server.process.pid}/status") as status:
            peak = next(int(line.split()[1]) for line in status if line.startswith("VmHWM"))
        assert peak < 120_000  # KiB: the line was not kept


def test_more_calls_than_a_server_serves_are_refused_clearly(tmp_path: Path) -> None:
    with RawServer(bus_at(tmp_path), "alice") as server:
        waiting = [server.call("receive_messages", wait_seconds=40) for _ in range(64)]
        server.send(*waiting)
        more = server.call("list_agents")
        server.send(more)
        error = server.answer_to(more)["result"]["structuredContent"]["error"]
        assert error["code"] == "TOO_MANY_CALLS"
        for call in waiting:
            server.send(
                {"jsonrpc": "2.0", "method": "notifications/cancelled", "params": {"requestId": call["id"]}}
            )
        for _ in range(100):
            more = server.call("list_agents")
            server.send(more)
            result = server.answer_to(more)["result"]
            if not result.get("isError"):
                break
        assert result["structuredContent"]["you"] == "alice"


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_signals_end_it_cleanly(tmp_path: Path, number: signal.Signals) -> None:
    with hubbub.connect(bus_at(tmp_path)) as bus, RawServer(bus_at(tmp_path), "alice") as server:
        server.use("list_agents")
        server.process.send_signal(number)
        assert server.process.wait(DEADLINE) == 128 + number
        assert bus.agents.get("alice").session is None


def test_a_closed_output_ends_it_without_a_trace(tmp_path: Path) -> None:
    with hubbub.connect(bus_at(tmp_path)) as bus, RawServer(bus_at(tmp_path), "alice") as server:
        assert server.process.stdout is not None
        server.process.stdout.close()
        server.send(server.call("list_agents"))
        server.send(server.call("list_agents"))
        server.end()
        assert server.process.stderr is not None
        assert server.process.stderr.read() == b""
        assert bus.agents.get("alice").session is None


def test_a_name_is_made_from_the_clients_and_given_back_unused(tmp_path: Path) -> None:
    url = bus_at(tmp_path)
    with (
        hubbub.connect(url) as bus,
        RawServer(url, hello=False) as one,
        RawServer(url, hello=False) as two,
    ):
        assert 'You are "claude"' in one.hello("claude-code")["result"]["instructions"]
        assert 'You are "claude-2"' in two.hello("claude-code")["result"]["instructions"]
        assert [agent.name for agent in bus.agents.all()] == ["claude", "claude-2"]
        one.end()
        assert [agent.name for agent in bus.agents.all()] == ["claude-2"]
        two.use("send_message", to="claude-2", body="note to self")
        two.end()
        assert [agent.name for agent in bus.agents.all()] == ["claude-2"]  # it took part


def test_a_made_up_name_makes_way_for_a_chosen_one(tmp_path: Path) -> None:
    with hubbub.connect(bus_at(tmp_path)) as bus, RawServer(bus_at(tmp_path), hello=False) as server:
        server.hello("gemini-cli-mcp-client")
        assert server.use("list_agents")["you"] == "gemini"
        assert server.use("register_agent", name="reviewer")["default"] is True
        assert [agent.name for agent in bus.agents.all()] == ["reviewer"]


def test_a_clients_session_gets_its_name_again(tmp_path: Path) -> None:
    bus_url = bus_at(tmp_path)
    with RawServer(bus_url, hello=False, CLAUDE_CODE_SESSION_ID="abc") as server:
        server.hello("claude-code")
        server.use("register_agent", name="reviewer")
    with RawServer(bus_url, hello=False, CLAUDE_CODE_SESSION_ID="abc") as server:
        assert 'You are "reviewer"' in server.hello("claude-code")["result"]["instructions"]
    with hubbub.connect(bus_url) as bus:
        kept = bus.agents.find_client_session("abc")
        assert kept is not None
        assert kept.agent == "reviewer"


def test_a_thread_id_that_comes_with_a_call_is_kept(tmp_path: Path) -> None:
    with hubbub.connect(bus_at(tmp_path)) as bus, RawServer(bus_at(tmp_path), "codex") as server:
        request = server.call("list_agents")
        request["params"]["_meta"] = {"threadId": "0199-thread"}
        server.send(request)
        server.answer_to(request)
        session = bus.agents.get("codex").session
        assert session is not None
        assert session.client_session == "0199-thread"


@pytest.mark.filterwarnings("ignore:resources/")
@pytest.mark.parametrize("era", ["legacy", "auto"])
def test_changes_of_a_resource_are_told(tmp_path: Path, era: str) -> None:
    """In the older era by resources/subscribe, in the newer by subscriptions/listen."""
    bus_url = bus_at(tmp_path)

    async def older(client: Client, told: anyio.Event) -> None:
        await client.subscribe_resource("hubbub://inbox")
        await use(client, "send_message", to="alice", body="ding")
        with anyio.fail_after(DEADLINE):
            await told.wait()
        await client.unsubscribe_resource("hubbub://inbox")

    async def newer(client: Client) -> None:
        async with client.listen(resource_subscriptions=["hubbub://inbox"]) as subscription:
            await use(client, "send_message", to="alice", body="ding")
            with anyio.fail_after(DEADLINE):
                async for event in subscription:
                    assert str(getattr(event, "uri", "")) == "hubbub://inbox"
                    return

    async def main() -> None:
        told = anyio.Event()

        async def on_message(message: Any) -> None:
            if type(message).__name__ == "ResourceUpdatedNotification":
                assert str(message.params.uri) == "hubbub://inbox"
                told.set()

        parameters = StdioServerParameters(
            command=sys.executable, args=server_arguments("alice"), env=environment(bus_url)
        )
        async with Client(parameters, mode=era, message_handler=on_message) as client:
            if era == "legacy":
                await older(client, told)
            else:
                await newer(client)

    anyio.run(main)


def test_a_subscription_to_nothing_is_refused_or_left_out(tmp_path: Path) -> None:
    with RawServer(bus_at(tmp_path), "alice") as server:
        assert server.ask("resources/subscribe", {"uri": "hubbub://other"})["error"]["code"] == -32002
        request = server.request(
            "subscriptions/listen", {"_meta": ENVELOPE, "notifications": {"toolsListChanged": True}}
        )
        server.send(request)
        told = server.read()
        assert told["method"] == "notifications/subscriptions/acknowledged"
        assert told["params"]["notifications"] == {}
        assert told["params"]["_meta"]["io.modelcontextprotocol/subscriptionId"] == request["id"]


def test_a_waiting_call_reports_progress_and_obeys(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(calls, "PROGRESS_SECONDS", 0.02)
    reports: list[float] = []
    call: calls.Call

    def report(waited: float) -> None:
        reports.append(waited)
        if len(reports) == 3:
            call.cancel()

    call = calls.Call(report)
    with hubbub.connect(bus_at(tmp_path)) as bus:
        seat = bus.agents.join("alice")
        steps = bus.mail.receiving(seat.actor, bus.mail.filter(), wait=30)
        with pytest.raises(Cancelled):
            call.drive(steps)
    assert len(reports) == 3
    assert reports == sorted(reports)


def test_progress_reaches_the_client_only_if_it_gave_a_token(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(calls, "PROGRESS_SECONDS", 0.05)
    to_server, from_client = os.pipe()
    to_client, from_server = os.pipe()

    def ask(id_: int, **meta: Any) -> None:
        given = {"name": "receive_messages", "arguments": {"wait_seconds": 0.5}, "_meta": meta}
        line = json.dumps({"jsonrpc": "2.0", "id": id_, "method": "tools/call", "params": given})
        os.write(from_client, line.encode() + b"\n")

    with hubbub.connect(bus_at(tmp_path)) as bus, os.fdopen(to_client) as answers:
        server = Server(bus, LineReader(to_server), LineWriter(from_server), agent="alice")
        thread = threading.Thread(target=server.run)
        thread.start()
        ask(1, progressToken="tok")
        told = json.loads(answers.readline())
        assert told["method"] == "notifications/progress"
        assert told["params"]["progressToken"] == "tok"
        while "result" not in told:
            told = json.loads(answers.readline())
        ask(2)
        assert json.loads(answers.readline())["id"] == 2
        os.close(from_client)
        thread.join(DEADLINE)
        assert not thread.is_alive()
    os.close(to_server)
    os.close(from_server)


def test_lines_are_found_whatever_the_chunks(tmp_path: Path) -> None:
    reading, writing = os.pipe()
    reader = iter(LineReader(reading, limit=100))
    os.write(writing, b"one\ntwo")
    assert next(reader)[:2] == (0, b"one")
    os.write(writing, b"2\n" + b"x" * 150)
    assert next(reader)[:2] == (4, b"two2")
    os.write(writing, b"y" * 5000 + b"\nlast")
    long = next(reader)
    assert (long.offset, long.too_long) == (9, True)
    os.close(writing)
    assert next(reader)[:2] == (9 + 150 + 5000 + 1, b"last")
    assert list(reader) == []
    os.close(reading)


def test_two_servers_of_both_eras_on_one_bus(tmp_path: Path) -> None:
    async def play(alice: Client) -> None:
        with RawServer(bus_at(tmp_path), "bob") as bob:
            await use(alice, "send_message", to="bob", body="across eras")
            assert bob.use("receive_messages", wait_seconds=10)["messages"][0]["body"] == "across eras"

    over_client(bus_at(tmp_path), "auto", ["alice"], play)


def test_a_subscription_follows_the_agent_to_its_new_name(tmp_path: Path) -> None:
    with hubbub.connect(bus_at(tmp_path)) as bus, RawServer(bus_at(tmp_path), hello=False) as server:
        server.hello("claude-code")
        server.ask("resources/subscribe", {"uri": "hubbub://inbox"})
        register = server.call("register_agent", name="alice")
        server.send(register)
        # The inbox of another name is another inbox; that is told before or after the answer.
        said = [server.read(), server.read()]
        assert [message.get("method") for message in said if "id" not in message] == [UPDATED]
        bus.agents.register("sender")
        bus.mail.send(bus.agents.attach("sender"), bus.mail.draft("alice", "ding"))
        assert server.read()["params"] == {"uri": "hubbub://inbox"}


def test_a_listen_that_is_cancelled_at_once_tells_nothing(tmp_path: Path) -> None:
    with RawServer(bus_at(tmp_path), "alice", hello=False) as server:
        modern(server, "server/discover")
        wanted = {"resourceSubscriptions": ["hubbub://inbox"]}
        listen = server.request("subscriptions/listen", {"_meta": ENVELOPE, "notifications": wanted})
        cancel = {
            "jsonrpc": "2.0",
            "method": "notifications/cancelled",
            "params": {"requestId": listen["id"]},
        }
        server.send(listen, cancel)
        assert server.read()["method"] == "notifications/subscriptions/acknowledged"
        modern(server, "tools/call", name="send_message", arguments={"to": "alice", "body": "ding"})
        assert server.quiet()


@pytest.mark.parametrize(
    "line",
    [
        b'{"jsonrpc":"2.0","id":5,"method":"resources/read","params":{"uri":"\\ud800"}}\n',
        b'{"jsonrpc":"2.0","id":"\\ud800","method":"ping"}\n',
        b'{"jsonrpc":"2.0","id":5,"method":"tools/call","params":{"name":"\\ud800"}}\n',
        b'{"jsonrpc":"2.0","id":5,"method":"tools/call","params":{"name":"read_thread","arguments":{"thread":"m1aaaaa","after":1e30}}}\n',
    ],
)
def test_half_a_character_hurts_no_one(tmp_path: Path, line: bytes) -> None:
    with RawServer(bus_at(tmp_path), "alice") as server:
        server.write(line)
        answer = server.read()
        assert answer.get("error", {}).get("code") != -32603
        for _ in range(5):
            assert server.use("list_agents")["you"] == "alice"
