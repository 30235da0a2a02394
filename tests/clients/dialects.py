"""What the clients' model interfaces look like, as far as a played model needs them.

Each dialect reads a request into a :class:`Turn` and writes what the model does next. The forms are those
of the public documentation: Anthropic Messages, OpenAI Responses and Chat Completions, Gemini
generateContent.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterable
from typing import Any, NamedTuple, TypeAlias

Json: TypeAlias = dict[str, Any]
Event: TypeAlias = tuple[str, Json | str]
"""The name of a server-sent event, which may be empty, and its data."""


class Turn(NamedTuple):
    """One request to the model."""

    dialect: str
    said: str
    """All texts that are not the model's own, in order: instructions of hooks, prompts, results of tools."""
    prompts: str
    """The texts of the user's part of the conversation only."""
    calls: int
    """How many calls of tools the model has made so far in this conversation."""
    tools: tuple[str, ...]
    last: str
    """The last entry of the conversation, as JSON."""
    at: float
    """When it came, by the monotonic clock."""


class Call(NamedTuple):
    """What the model does: call a tool, or with no name say ``text`` and end its turn."""

    name: str
    arguments: Json
    text: str = ""


class Dialect(NamedTuple):
    """How one interface is read and written."""

    name: str
    read: Callable[[Json], Turn]
    stream: Callable[[Json, Call], Iterable[Event]]
    whole: Callable[[Json, Call], Json]


def _texts(content: Any) -> list[str]:
    if isinstance(content, str):
        return [content]
    found = []
    for part in content or []:
        if isinstance(part, str):
            found.append(part)
        elif isinstance(part, dict):
            found += [part[key] for key in ("text", "output", "content") if isinstance(part.get(key), str)]
            if isinstance(part.get("content"), list):
                found += _texts(part["content"])
    return found


def _fresh(prefix: str) -> str:
    return f"{prefix}_{time.time_ns()}"


# --- Anthropic Messages ------------------------------------------------------------------------------


def _anthropic_read(body: Json) -> Turn:
    messages = body.get("messages", [])
    said = _texts(body.get("system"))
    prompts, calls = [], 0
    for message in messages:
        parts = message["content"]
        if message["role"] == "assistant":
            calls += sum(part.get("type") == "tool_use" for part in parts if isinstance(part, dict))
            continue
        said += _texts(parts)
        own = parts if isinstance(parts, str) else [part for part in parts if part.get("type") == "text"]
        prompts += _texts(own)
    tools = tuple(tool.get("name", "") for tool in body.get("tools", []))
    return _turn("anthropic", said, prompts, calls, tools, messages[-1] if messages else {})


def _anthropic_block(call: Call) -> Json:
    if call.name:
        return {"type": "tool_use", "id": _fresh("toolu"), "name": call.name, "input": call.arguments}
    return {"type": "text", "text": call.text}


def _anthropic_whole(body: Json, call: Call) -> Json:
    return {
        "id": _fresh("msg"),
        "type": "message",
        "role": "assistant",
        "model": body.get("model"),
        "content": [_anthropic_block(call)],
        "stop_reason": "tool_use" if call.name else "end_turn",
        "stop_sequence": None,
        "usage": {"input_tokens": 10, "output_tokens": 10},
    }


def _anthropic_stream(body: Json, call: Call) -> Iterable[Event]:
    whole = _anthropic_whole(body, call)
    block = whole["content"][0]
    started = {**whole, "content": [], "stop_reason": None}
    yield "message_start", {"type": "message_start", "message": started}
    empty = {**block, "input": {}} if call.name else {**block, "text": ""}
    yield "content_block_start", {"type": "content_block_start", "index": 0, "content_block": empty}
    grown = (
        {"type": "input_json_delta", "partial_json": json.dumps(call.arguments)}
        if call.name
        else {"type": "text_delta", "text": call.text}
    )
    yield "content_block_delta", {"type": "content_block_delta", "index": 0, "delta": grown}
    yield "content_block_stop", {"type": "content_block_stop", "index": 0}
    ended = {"stop_reason": whole["stop_reason"], "stop_sequence": None}
    yield "message_delta", {"type": "message_delta", "delta": ended, "usage": {"output_tokens": 10}}
    yield "message_stop", {"type": "message_stop"}


# --- OpenAI Responses --------------------------------------------------------------------------------

_RESPONSE_CALLS = ("function_call", "custom_tool_call", "tool_search_call")


def _responses_tools(body: Json) -> dict[str, tuple[str, str | None]]:
    """What a tool is called in full, and its name and namespace; those found by a search included."""
    listed = list(body.get("tools", []))
    for item in _responses_items(body):
        if item.get("type") == "tool_search_output":
            listed += item.get("tools") or []
    names: dict[str, tuple[str, str | None]] = {}
    for tool in listed:
        if tool.get("type") == "namespace":
            for inner in tool.get("tools", []):
                names[tool["name"] + inner["name"]] = (inner["name"], tool["name"])
        elif "name" in tool:
            names[tool["name"]] = (tool["name"], None)
        elif "type" in tool:
            names[tool["type"]] = (tool["type"], None)
    return names


def _responses_items(body: Json) -> list[Json]:
    given = body.get("input", [])
    return given if isinstance(given, list) else [{"type": "message", "role": "user", "content": given}]


def _responses_read(body: Json) -> Turn:
    items = _responses_items(body)
    said, prompts, calls = _texts(body.get("instructions")), [], 0
    for item in items:
        kind = item.get("type")
        if kind == "message" and item.get("role") != "assistant":
            said += _texts(item.get("content"))
            if item.get("role") == "user":
                prompts += _texts(item.get("content"))
        elif kind in _RESPONSE_CALLS:
            calls += 1
        elif str(kind).endswith("_output"):
            said += _texts(item.get("output"))
    return _turn("responses", said, prompts, calls, tuple(_responses_tools(body)), items[-1] if items else {})


def _responses_item(body: Json, call: Call) -> Json:
    if not call.name:
        text = [{"type": "output_text", "text": call.text, "annotations": []}]
        return {"type": "message", "id": _fresh("msg"), "role": "assistant", "content": text}
    made = {"id": _fresh("fc"), "call_id": _fresh("call"), "status": "completed"}
    if call.name == "tool_search":
        return {**made, "type": "tool_search_call", "execution": "client", "arguments": call.arguments}
    if call.name == "apply_patch":
        return {**made, "type": "custom_tool_call", "name": call.name, "input": call.arguments["input"]}
    name, space = _responses_tools(body).get(call.name, (call.name, None))
    item = {**made, "type": "function_call", "name": name, "arguments": json.dumps(call.arguments)}
    return {**item, "namespace": space} if space else item


def _responses_stream(body: Json, call: Call) -> Iterable[Event]:
    id_ = _fresh("resp")
    yield "response.created", {"type": "response.created", "response": {"id": id_}}
    item = _responses_item(body, call)
    yield (
        "response.output_item.done",
        {"type": "response.output_item.done", "output_index": 0, "item": item},
    )
    usage: Json = {"input_tokens": 10, "output_tokens": 5, "total_tokens": 15}
    usage |= {"input_tokens_details": None, "output_tokens_details": None}
    yield "response.completed", {"type": "response.completed", "response": {"id": id_, "usage": usage}}


def _responses_whole(body: Json, call: Call) -> Json:
    return {"id": _fresh("resp"), "object": "response", "output": [_responses_item(body, call)]}


# --- OpenAI Chat Completions -------------------------------------------------------------------------


def _chat_read(body: Json) -> Turn:
    messages = body.get("messages", [])
    said, prompts, calls = [], [], 0
    for message in messages:
        if message["role"] == "assistant":
            calls += len(message.get("tool_calls") or [])
            continue
        said += _texts(message.get("content"))
        if message["role"] == "user":
            prompts += _texts(message.get("content"))
    tools = tuple(tool["function"]["name"] for tool in body.get("tools", []))
    return _turn("chat", said, prompts, calls, tools, messages[-1] if messages else {})


def _chat_choice(call: Call) -> tuple[Json, str]:
    if not call.name:
        return {"role": "assistant", "content": call.text}, "stop"
    made = {"name": call.name, "arguments": json.dumps(call.arguments)}
    calls = [{"index": 0, "id": _fresh("call"), "type": "function", "function": made}]
    return {"role": "assistant", "tool_calls": calls}, "tool_calls"


_CHAT_USAGE = {"prompt_tokens": 10, "completion_tokens": 5, "total_tokens": 15}


def _chat_stream(body: Json, call: Call) -> Iterable[Event]:
    delta, why = _chat_choice(call)
    base = {"id": _fresh("chat"), "object": "chat.completion.chunk", "created": 1, "model": body.get("model")}
    yield "", {**base, "choices": [{"index": 0, "delta": delta, "finish_reason": None}]}
    ended = [{"index": 0, "delta": {}, "finish_reason": why}]
    yield "", {**base, "choices": ended, "usage": _CHAT_USAGE}
    yield "", "[DONE]"


def _chat_whole(body: Json, call: Call) -> Json:
    message, why = _chat_choice(call)
    base = {"id": _fresh("chat"), "object": "chat.completion", "created": 1, "model": body.get("model")}
    choice = {"index": 0, "message": message, "finish_reason": why}
    return {**base, "choices": [choice], "usage": _CHAT_USAGE}


# --- Gemini ------------------------------------------------------------------------------------------


def _gemini_read(body: Json) -> Turn:
    contents = body.get("contents", [])
    said = _texts((body.get("systemInstruction") or {}).get("parts"))
    prompts, calls = [], 0
    for content in contents:
        parts = content.get("parts", [])
        calls += sum("functionCall" in part for part in parts)
        if content.get("role") == "model":
            continue
        said += _texts(parts)
        said += [json.dumps(part["functionResponse"]) for part in parts if "functionResponse" in part]
        prompts += _texts(parts)
    declared = [tool.get("functionDeclarations", []) for tool in body.get("tools", [])]
    tools = tuple(each["name"] for group in declared for each in group)
    return _turn("gemini", said, prompts, calls, tools, contents[-1] if contents else {})


def _gemini_whole(body: Json, call: Call) -> Json:
    part = {"functionCall": {"name": call.name, "args": call.arguments}} if call.name else {"text": call.text}
    usage = {"promptTokenCount": 10, "candidatesTokenCount": 5, "totalTokenCount": 15}
    candidate = {"content": {"role": "model", "parts": [part]}, "finishReason": "STOP", "index": 0}
    return {"candidates": [candidate], "usageMetadata": usage, "modelVersion": "played"}


def _gemini_stream(body: Json, call: Call) -> Iterable[Event]:
    yield "", _gemini_whole(body, call)


def _turn(
    dialect: str, said: list[str], prompts: list[str], calls: int, tools: tuple[str, ...], last: Json
) -> Turn:
    return Turn(
        dialect,
        "\n".join(said),
        "\n".join(prompts),
        calls,
        tools,
        json.dumps(last)[-2000:],
        time.monotonic(),
    )


ANTHROPIC = Dialect("anthropic", _anthropic_read, _anthropic_stream, _anthropic_whole)
RESPONSES = Dialect("responses", _responses_read, _responses_stream, _responses_whole)
CHAT = Dialect("chat", _chat_read, _chat_stream, _chat_whole)
GEMINI = Dialect("gemini", _gemini_read, _gemini_stream, _gemini_whole)
