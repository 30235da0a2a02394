"""The topics toolset through the official client, in both eras of the protocol."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import anyio
import pytest

from mcp import Client
from tests.faces.mcp_support import DEADLINE, ERAS, RawServer, bus_at, over_client, text_of, use

both_eras = pytest.mark.parametrize("era", ERAS)


def bodies(answer: dict[str, Any]) -> list[str]:
    return [message["body"] for message in answer["messages"]]


@both_eras
def test_a_discussion_of_three(era: str, tmp_path: Path) -> None:
    async def play(alice: Client, bob: Client, carol: Client) -> None:
        made = await use(alice, "create_topic", name="Review 12", metadata={"branch": "fix"})
        assert (made["created"], made["state"], made["metadata"]) == (True, "open", {"branch": "fix"})
        again = await use(bob, "create_topic", name="#review 12", metadata={"other": 1})
        assert (again["created"], again["id"], again["metadata"]) == (False, made["id"], {"branch": "fix"})
        asked = await use(
            alice, "sync", topic="review 12", outbox=[{"body": "Please look", "kind": "review_request"}]
        )
        (post,) = asked["posted"]
        assert post["seq"] == 1
        got = await use(
            bob, "sync", topic=made["id"], outbox=[{"body": "On it", "reply_to": post["id"], "key": "k"}]
        )
        (message,) = got["messages"]
        assert (message["id"], message["from"], message["kind"]) == (post["id"], "alice", "review_request")
        repeated = await use(
            bob, "sync", topic=made["id"], outbox=[{"body": "On it", "reply_to": post["id"], "key": "k"}]
        )
        assert repeated["posted"] == [{**got["posted"][0], "repeated": True}]
        assert repeated["messages"] == []
        (answer,) = (await use(alice, "sync", topic="#Review 12"))["messages"]
        assert (answer["from"], answer["reply_to"], answer["seq"]) == ("bob", post["id"], 2)
        joined = await use(carol, "sync", topic="Review 12")
        assert joined["joined"] is True
        assert bodies(joined) == ["Please look", "On it"]
        present = await use(alice, "topic_presence", topic="Review 12")
        assert {member["agent"]: member["unread"] for member in present["members"]} == {
            "alice": 0,
            "bob": 0,
            "carol": 0,
        }
        assert all(member["online"] and member["seconds_since_sync"] < 60 for member in present["members"])

    over_client(bus_at(tmp_path), era, ["alice", "bob", "carol"], play)


@both_eras
def test_a_list_says_where_to_look(era: str, tmp_path: Path) -> None:
    async def play(alice: Client, bob: Client) -> None:
        for name in ("one", "two", "three"):
            await use(alice, "create_topic", name=name)
            await use(bob, "join_topic", topic=name)
        await use(alice, "sync", topic="two", outbox=["a", "b"])
        await use(alice, "close_topic", topic="three", reason="merged")
        listed = await use(bob, "list_topics")
        unread = {topic["name"]: topic["unread"] for topic in listed["topics"]}
        assert unread == {"two": 2, "one": 0, "all": 0}
        assert listed["topics"][0]["name"] == "two"
        assert "#two" in await text_of(bob, "receive_messages")
        assert "Unread in other topics: #two 2." in await text_of(bob, "sync", topic="one")
        (closed,) = (await use(bob, "list_topics", state="closed"))["topics"]
        assert (closed["name"], closed["close_reason"], closed["closed_by"]) == ("three", "merged", "alice")
        assert [t["name"] for t in (await use(bob, "list_topics", match="O", state="all"))["topics"]] == [
            "two",
            "one",
        ]
        first = await use(bob, "list_topics", limit=1)
        rest = await use(bob, "list_topics", after=first["next_after"])
        assert (first["total"], len(rest["topics"])) == (3, 2)
        await use(bob, "sync", topic="two")
        assert "Unread" not in await text_of(bob, "receive_messages")

    over_client(bus_at(tmp_path), era, ["alice", "bob"], play)


@both_eras
def test_joining_leaving_and_replaying(era: str, tmp_path: Path) -> None:
    async def play(alice: Client, bob: Client) -> None:
        await use(alice, "create_topic", name="t")
        await use(alice, "sync", topic="t", outbox=["1", "2", "3"])
        place = await use(bob, "join_topic", topic="t", start=1)
        assert (place["joined"], place["unread"], place["cursor"]) == (True, 2, 1)
        assert bodies(await use(bob, "sync", topic="t")) == ["2", "3"]
        assert (await use(bob, "reset_cursor", topic="t", start="start"))["unread"] == 3
        first = await use(bob, "sync", topic="t", limit=2)
        assert (bodies(first), first["has_more"]) == (["1", "2"], True)
        assert (await use(bob, "reset_cursor", topic="t", start="latest"))["unread"] == 0
        assert bodies(await use(bob, "sync", topic="t")) == []
        assert "left_at" in await use(bob, "leave_topic", topic="t")
        assert "NOT_JOINED" in await text_of(bob, "sync", topic="t")
        await use(alice, "sync", topic="t", outbox="4")
        assert (await use(bob, "join_topic", topic="t"))["unread"] == 1
        assert bodies(await use(bob, "sync", topic="t")) == ["4"]
        assert "TOPIC_FIXED" in await text_of(bob, "leave_topic", topic="all")

    over_client(bus_at(tmp_path), era, ["alice", "bob"], play)


@both_eras
def test_manual_mode_repeats_until_acknowledged(era: str, tmp_path: Path) -> None:
    async def play(alice: Client, bob: Client) -> None:
        await use(alice, "create_topic", name="t")
        await use(alice, "sync", topic="t", outbox=["1", "2", "3"])
        for _ in range(2):
            got = await use(bob, "sync", topic="t", auto_advance=False, limit=2)
            assert (bodies(got), got["through"], got["has_more"]) == (["1", "2"], 2, True)
            assert "redelivered" not in got
        # Only ack_through can be meant: it need not say auto_advance=false as well.
        assert bodies(await use(bob, "sync", topic="t", ack_through=2)) == ["3"]
        assert "ack_through" in await text_of(bob, "sync", topic="t", auto_advance=False)
        assert "goes with" in await text_of(bob, "sync", topic="t", ack_through=3, auto_advance=True)
        assert bodies(await use(bob, "sync", topic="t", ack_through=3)) == []

    over_client(bus_at(tmp_path), era, ["alice", "bob"], play)


@both_eras
def test_closing_wakes_who_waits_and_says_why(era: str, tmp_path: Path) -> None:
    async def play(alice: Client, bob: Client) -> None:
        await use(alice, "create_topic", name="t")
        await use(bob, "join_topic", topic="t")
        texts: list[str] = []

        async def wait() -> None:
            texts.append(await text_of(bob, "sync", topic="t", wait_seconds=45))

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(wait)
            with anyio.fail_after(DEADLINE):
                for _ in range(10):
                    await use(bob, "list_topics")  # held up by nothing
                closed = await use(alice, "close_topic", topic="t", reason="it was merged")
        assert closed["changed"] is True
        assert "#t is closed: it can be read, not posted to" in texts[0]
        assert 'by alice; reason: "it was merged"' in texts[0]
        assert (await use(bob, "close_topic", topic="t", reason="other"))["close_reason"] == "it was merged"
        assert "TOPIC_CLOSED" in await text_of(bob, "sync", topic="t", outbox="late")
        assert (await use(bob, "close_topic", topic="t", reopen=True))["changed"] is True
        assert (await use(bob, "sync", topic="t", outbox="in time"))["posted"][0]["seq"] == 1

    over_client(bus_at(tmp_path), era, ["alice", "bob"], play)


@both_eras
def test_two_agents_play_ping_pong(era: str, tmp_path: Path) -> None:
    rounds = 20

    async def play(alice: Client, bob: Client) -> None:
        await use(alice, "create_topic", name="t")

        async def side(client: Client, outbox: list[dict[str, str]]) -> None:
            while True:
                last = bool(outbox) and int(outbox[0]["body"]) == rounds
                got = await use(client, "sync", topic="t", outbox=outbox, wait_seconds=0 if last else 30)
                if last:
                    return
                (message,) = got["messages"]
                if int(message["body"]) == rounds:
                    return
                outbox = [{"body": str(int(message["body"]) + 1), "reply_to": message["id"]}]

        with anyio.fail_after(DEADLINE):
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(side, alice, [{"body": "0"}])
                tasks.start_soon(side, bob, [])
        whole = await use(alice, "read_thread", thread="#t", limit=100)
        numbers = [int(message["body"]) for message in whole["messages"]]
        assert numbers == list(range(rounds + 1))
        assert {message["from"] for message in whole["messages"][::2]} == {"alice"}

    over_client(bus_at(tmp_path), era, ["alice", "bob"], play)


@both_eras
def test_sub_agents_have_places_of_their_own(era: str, tmp_path: Path) -> None:
    async def play(alice: Client) -> None:
        await use(alice, "register_agent", name="helper")
        await use(alice, "create_topic", name="t")
        await use(alice, "sync", topic="t", outbox="for the helper")
        assert bodies(await use(alice, "sync", topic="t")) == []
        got = await use(alice, "sync", topic="t", as_agent="helper", outbox="from the helper")
        assert (got["agent"], bodies(got)) == ("helper", ["for the helper"])
        # A call of alice confirms nothing of the helper's.
        assert bodies(await use(alice, "sync", topic="t")) == ["from the helper"]
        members = (await use(alice, "topic_presence", topic="t"))["members"]
        cursors = {member["agent"]: member["cursor"] for member in members}
        assert cursors == {"alice": 2, "helper": 0}
        members = (await use(alice, "topic_presence", topic="t", as_agent="helper"))["members"]
        assert {member["agent"]: member["cursor"] for member in members} == {"alice": 2, "helper": 2}

    over_client(bus_at(tmp_path), era, ["alice"], play)


@both_eras
def test_history_is_read_without_joining(era: str, tmp_path: Path) -> None:
    async def play(alice: Client, carol: Client) -> None:
        made = await use(alice, "create_topic", name="t")
        await use(alice, "sync", topic="t", outbox=[str(number) for number in range(1, 31)])
        first = await use(carol, "read_thread", thread="#t", limit=10)
        assert (bodies(first), first["next_after"]) == ([str(n) for n in range(1, 11)], 10)
        second = await use(carol, "read_thread", thread=made["id"], after=10, limit=100)
        assert bodies(second) == [str(n) for n in range(11, 31)]
        assert "next_after" not in second
        newest = await use(carol, "read_thread", thread="#t", newest=True, limit=3)
        assert bodies(newest) == ["28", "29", "30"]
        text = await text_of(carol, "read_thread", thread="#t", before=28, limit=3)
        assert "number 25" in text
        assert "Earlier ones: read_thread(thread='#t', before=25)." in text
        start = first["messages"][4]["id"]
        reply = await use(alice, "sync", topic="t", outbox=[{"body": "re", "reply_to": start}])
        thread = await use(carol, "read_thread", thread=reply["posted"][0]["id"])
        assert bodies(thread) == ["5", "re"]
        assert [t["name"] for t in (await use(carol, "list_topics"))["topics"] if "unread" in t] == ["all"]

    over_client(bus_at(tmp_path), era, ["alice", "carol"], play)


@both_eras
def test_a_thread_of_the_mail_may_look_like_the_id_of_a_topic(era: str, tmp_path: Path) -> None:
    async def play(alice: Client) -> None:
        for thread in ("threads", "patched"):  # of the form of a topic's and of a message's id
            await use(alice, "send_message", to="alice", body="in the mail", thread=thread)
            assert bodies(await use(alice, "read_thread", thread=thread)) == ["in the mail"]
        assert "before and newest are for topics" in await text_of(
            alice, "read_thread", thread="threads", newest=True
        )

    over_client(bus_at(tmp_path), era, ["alice"], play)


@both_eras
def test_an_announcement_is_a_copy_for_everyone(era: str, tmp_path: Path) -> None:
    async def play(alice: Client, bob: Client, carol: Client) -> None:
        sent = await use(alice, "send_message", to="bob", body="I take the parser", announce=True)
        got = await use(carol, "sync", topic="#all")
        (message,) = got["messages"]
        assert (message["id"], message["from"], message["body"]) == (
            sent["announced"],
            "alice",
            "I take the parser",
        )
        assert bodies(await use(carol, "receive_messages")) == []
        assert bodies(await use(bob, "receive_messages")) == ["I take the parser"]

    over_client(bus_at(tmp_path), era, ["alice", "bob", "carol"], play)


@both_eras
def test_what_was_said_is_found(era: str, tmp_path: Path) -> None:
    async def play(alice: Client, bob: Client, carol: Client) -> None:
        await use(alice, "create_topic", name="parser")
        posted = await use(
            alice,
            "sync",
            topic="parser",
            outbox=["The tokenizer in peer_server.py drops it's quotes", "else"],
        )
        mail = await use(alice, "send_message", to="bob", body="The tokenizer again", kind="task")
        (hit,) = (await use(carol, "search_messages", query="tokenizer", mode="words"))["hits"]
        assert (hit["id"], hit["topic"], hit["seq"]) == (posted["posted"][0]["id"], "parser", 1)
        both = await use(bob, "search_messages", query="tokenizer", mode="words")
        assert {hit["id"] for hit in both["hits"]} == {mail["id"], posted["posted"][0]["id"]}
        assert both["total"] == 2
        for scope, id_ in (("mail", mail["id"]), ("topics", posted["posted"][0]["id"])):
            (hit,) = (await use(bob, "search_messages", query="tokenizer", mode="words", scope=scope))["hits"]
            assert hit["id"] == id_
        for query in ("peer_server.py", '"drops it\'s"', "token*", "tokenizer -again"):
            found = await use(bob, "search_messages", query=query, topic="parser", mode="words")
            assert [hit["seq"] for hit in found["hits"]] == [1], query
        given = {"query": "tokenizer", "mode": "words", "from": "alice", "kind": "task", "since": "1h"}
        assert [hit["id"] for hit in (await use(bob, "search_messages", **given))["hits"]] == [mail["id"]]
        assert (await use(bob, "search_messages", query="tokenizer", mode="words", until="1h"))["hits"] == []
        text = await text_of(bob, "search_messages", query="tokenizer", mode="words")
        assert "2 messages found" in text
        assert f"number 1 of topic {hit['topic_id']}" in text
        assert "0 messages found." in await text_of(bob, "search_messages", query="nowhere", mode="words")
        best = (await use(bob, "search_messages", query="the tokenizer"))["hits"][0]
        assert best["id"] in (mail["id"], posted["posted"][0]["id"])

    over_client(bus_at(tmp_path), era, ["alice", "bob", "carol"], play)


def test_toolsets_can_be_picked(tmp_path: Path) -> None:
    def names(*more: str) -> tuple[list[str], float, str]:
        with RawServer(bus_at(tmp_path), "alice", *more, hello=False) as server:
            hello = server.hello()["result"]["instructions"]
            answer = server.ask("tools/list")["result"]
            return [tool["name"] for tool in answer["tools"]], len(json.dumps(answer)) / 4, hello

    mail, size, hello = names("--tools", "mail")
    assert size < 1500
    assert "sync" not in mail
    assert "Topics" not in hello
    topics, _, hello = names("--tools", "topics")
    assert {"sync", "read_thread", "search_messages", "register_agent"} <= set(topics)
    assert "send_message" not in topics
    assert "receive_messages" not in hello
    both, size, hello = names("--tools", "mail,topics")
    assert size < 3000
    assert (set(both), len(both)) == ({*mail, *topics}, len({*mail, *topics}))
    work, _, hello = names("--tools", "work")
    assert {"claim_step", "register_agent"} <= set(work)
    assert not {"sync", "send_message"} & set(work)
    assert "claim_step(mine=true)" in hello
    assert "receive_messages" not in hello
    assert names()[0] == [*both, *(name for name in work if name not in both)]
