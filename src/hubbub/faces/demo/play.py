"""What is shown: a task, a question, a result, a review in a topic, and a crash in between."""

from __future__ import annotations

import asyncio
import os
import signal
import time
from contextlib import suppress
from typing import Any

from hubbub.faces.demo.stage import Stage, call, expect, listen, receive

TOPIC = "parser-fix"


async def hand_over(stage: Stage, sending: Any, receiving: asyncio.Task[tuple[dict[str, Any], float]]) -> Any:
    """Send while somebody waits; the message, and the milliseconds from the send to its arrival."""
    await asyncio.sleep(0)  # let the waiting call go out first
    began = time.monotonic()
    await sending
    message, arrived = await receiving
    return message, (arrived - began) * 1000


async def play(stage: Stage) -> None:
    """The whole demonstration. Raises DemoFailed when anything is not as it should be."""
    await stage.command("register", "ada", "--description", "the person")
    stage.say("ada", "registers as a person, on the command line")
    async with stage.agent("planner", "legacy") as planner:
        stage.say("planner", f"MCP server up, protocol {planner.protocol_version}; registered by itself")
        async with stage.agent("builder", "auto") as builder:
            stage.say("builder", f"MCP server up, protocol {builder.protocol_version}; registered by itself")
            who = await call(planner, "list_agents")
            stage.say("planner", f"sees {', '.join(agent['name'] for agent in who['agents'])} on the bus")
            order = await _task_and_question(stage, planner, builder)
            await _review(stage, planner, builder)
            await _crash(stage, planner, builder)
        await _back_again(stage, planner, order)


async def _task_and_question(stage: Stage, planner: Any, builder: Any) -> str:
    waiting = asyncio.create_task(receive(planner))
    order, took = await hand_over(
        stage,
        stage.command("send", "planner", "Have the parser fixed, please.", "--kind", "task", "--as", "ada"),
        waiting,
    )
    stage.say("planner", f"has a task from ada: {order['body']}", took, start=True)

    waiting = asyncio.create_task(receive(builder))
    sending = call(
        planner, "send_message", to="builder", kind="task", body="Fix the parser: it eats the last line."
    )
    task, took = await hand_over(stage, sending, waiting)
    stage.say("builder", f"has a task from planner: {task['body']}", took)

    asking = asyncio.create_task(stage.command("receive", "--as", "ada", "--wait", "30"))
    sending = call(builder, "send_message", to="ada", kind="question", body="May I drop Python 2?")
    began = time.monotonic()
    await sending
    question = (await asking)["messages"][0]
    stage.say(
        "ada",
        f"reads a question from builder: {question['body']}",
        (time.monotonic() - began) * 1000,
        start=True,
    )

    waiting = asyncio.create_task(receive(builder))
    answer, took = await hand_over(
        stage, stage.command("reply", question["id"], "Yes.", "--as", "ada"), waiting
    )
    expect(answer["kind"] == "answer", f"A reply to a question is an answer, not {answer['kind']}.")
    stage.say("builder", f"has the answer from ada: {answer['body']}", took, start=True)

    waiting = asyncio.create_task(receive(planner))
    sending = call(builder, "send_message", in_reply_to=task["id"], body="Fixed on branch fix-parser.")
    result, took = await hand_over(stage, sending, waiting)
    expect(result["kind"] == "result", f"A reply to a task is a result, not {result['kind']}.")
    stage.say("planner", f"has the result from builder: {result['body']}", took)
    return str(order["id"])


async def _review(stage: Stage, planner: Any, builder: Any) -> None:
    """The two talk in a topic, each waiting for the other."""
    await call(builder, "create_topic", name=TOPIC)
    waiting = asyncio.create_task(listen(planner, TOPIC))
    request = {"body": "Please review branch fix-parser.", "kind": "review_request"}
    asked, took = await hand_over(stage, call(builder, "sync", topic=TOPIC, outbox=[request]), waiting)
    stage.say("planner", f"reads in #{TOPIC}: {asked['body']}", took)
    waiting = asyncio.create_task(listen(builder, TOPIC))
    finding = {
        "body": "Good, but there is no test for an empty file.",
        "kind": "review_response",
        "reply_to": asked["id"],
    }
    found, took = await hand_over(stage, call(planner, "sync", topic=TOPIC, outbox=[finding]), waiting)
    stage.say("builder", f"reads in #{TOPIC}: {found['body']}", took)


async def _crash(stage: Stage, planner: Any, builder: Any) -> None:
    """builder dies with a message in hand: handed out, not settled."""
    waiting = asyncio.create_task(receive(builder))
    sending = call(planner, "send_message", to="builder", kind="task", body="Now add a test for it.")
    task, took = await hand_over(stage, sending, waiting)
    stage.say("builder", f"has a task from planner: {task['body']}", took)
    process = stage.process_of("builder")
    os.kill(process, signal.SIGKILL)
    stage.say("builder", f"KILLED (process {process}) with that task in hand")
    with suppress(Exception):  # the client of a dead server has only errors to tell
        await asyncio.wait_for(call(builder, "list_agents"), 5)
    await call(planner, "sync", topic=TOPIC, outbox=[{"body": "Then it can be merged.", "kind": "decision"}])
    stage.say("planner", f"posts in #{TOPIC}, while builder is away")


async def _back_again(stage: Stage, planner: Any, order: str) -> None:
    began = time.monotonic()
    async with stage.agent("builder", "auto") as builder:
        stage.say("builder", "started again under its name")
        again, arrived = await receive(builder)
        expect(again.get("redelivered") is True, "The message in hand did not come back marked redelivered.")
        stage.say(
            "builder",
            f"has the task again, marked redelivered: {again['body']}",
            (arrived - began) * 1000,
            start=True,
        )
        waiting = asyncio.create_task(receive(planner))
        sending = call(builder, "send_message", in_reply_to=again["id"], body="Test added.")
        result, took = await hand_over(stage, sending, waiting)
        stage.say("planner", f"has the result from builder: {result['body']}", took)
        missed, _ = await listen(builder, TOPIC)
        stage.say("builder", f"reads what it missed in #{TOPIC}: {missed['body']}")
        asking = asyncio.create_task(stage.command("receive", "--as", "ada", "--wait", "30"))
        began = time.monotonic()
        await call(planner, "send_message", in_reply_to=order, body="The parser is fixed and tested.")
        final = (await asking)["messages"][0]
        stage.say(
            "ada",
            f"reads the result from planner: {final['body']}",
            (time.monotonic() - began) * 1000,
            start=True,
        )
        hits = (await stage.command("search", "empty file", "--mode", "words", "--as", "ada"))["hits"]
        expect(len(hits) == 1, f"A search for an empty file found {len(hits)} messages.")
        stage.say("ada", f"finds what was said of an empty file: {hits[0]['snippet']}")
        await call(builder, "list_agents")  # its next call settles what it had
        await call(planner, "list_agents")
    status = stage.bus.agents.all()
    left = sum(agent.queued + agent.leased + agent.dead for agent in status)
    expect(left == 0, f"{left} messages are not settled.")
    expect(stage.bus.check() == [], "The integrity check found problems.")
    sent = stage.bus.events.events(limit=1000, kinds=("message_sent",))
    settled = stage.bus.events.events(limit=1000, kinds=("message_settled",))
    expect(len(sent) == len(settled), f"{len(sent)} sent, {len(settled)} settled.")
    stage.say("bus", f"{len(sent)} messages sent, {len(settled)} settled once each, none lost, none left")
    readers = stage.bus.topics.members(TOPIC)
    expect(all(reader.unread == 0 for reader in readers), "Somebody has not read all of the topic.")
    posts = stage.bus.topics.get(TOPIC).last_seq
    stage.say("bus", f"{posts} messages in #{TOPIC}, read by both, one of them after its crash")
