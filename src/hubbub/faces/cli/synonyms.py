"""Words that people type for a command that has another name; loaded only on the way to an error."""

from __future__ import annotations

from hubbub.names import nearest

_MEANT = {
    "agents": "who",
    "close": "topic close",
    "create": "topic create",
    "delete": "topic delete, or dead purge",
    "events": "log",
    "hepl": "--help",
    "history": "topic read, or thread",
    "inbox": "peek, or receive",
    "join": "topic join",
    "leave": "topic leave",
    "list": "topic list, or who",
    "ls": "topic list, or who",
    "mail": "receive, or send",
    "members": "topic members",
    "messages": "topic read, or receive",
    "post": "sync TOPIC --post TEXT, or send",
    "presence": "topic members",
    "read": "topic read, or thread",
    "serve": "mcp",
    "server": "mcp",
    "tail": "watch",
    "topics": "topic list",
    "topic export": "export",
    "topic find": "search",
    "topic history": "topic read",
    "topic import": "import",
    "topic messages": "topic read",
    "topic new": "topic create",
    "topic post": "sync TOPIC --post TEXT",
    "topic presence": "topic members",
    "topic resolve": "topic show",
    "topic search": "search",
    "topic send": "sync TOPIC --post TEXT",
    "topic sync": "sync",
    "topic tail": "watch",
    "topic watch": "watch",
    "topic who": "topic members",
}


def meant(name: str, known: list[str]) -> str:
    """The commands that ``name`` may have been meant to be, in words; empty when none comes near."""
    if name in _MEANT:
        return _MEANT[name]
    family = name.partition(" ")[0]
    same = [each for each in known if each.startswith(family + " ")] if " " in name else []
    near = nearest(name, same or known, 1)
    return near[0] if near else ""
