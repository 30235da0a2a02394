"""Names, ids, and the words that have a fixed meaning."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable

from hubbub.errors import InvalidArgument, InvalidName

EVERYONE = "*"
"""As a recipient: every registered agent that has an inbox, but the sender."""

NAME_RULE = re.compile(r"[a-z0-9][a-z0-9_-]{0,63}", re.ASCII)
NAME_MAX = 64

ROLES = ("both", "publisher", "consumer")
PRIORITIES = ("urgent", "normal", "low")
KINDS = (
    "message",
    "task",
    "result",
    "status",
    "error",
    "question",
    "answer",
    "review_request",
    "review_response",
    "decision",
    "brainstorm",
    "todo",
)
"""The known kinds of message. The vocabulary is open: any word of :data:`KIND_RULE` is accepted."""

KIND_RULE = re.compile(r"[a-z][a-z0-9_-]{0,31}", re.ASCII)

REPLY_KINDS = {"task": "result", "question": "answer", "review_request": "review_response"}
"""The kind that a reply takes from the message it answers; any other is answered by a ``message``."""

# Crockford's base 32: no i, l, o or u, so that a copied id is not misread.
_ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"
_VALUES = {letter: value for value, letter in enumerate(_ALPHABET)}
_TAG_LETTERS = 5
TAG_LIMIT: int = 32**_TAG_LETTERS


def check_name(name: object, what: str = "name") -> str:
    """``name`` itself when it keeps the rule for agents' names.

    Raises:
        InvalidName: it does not; the hint proposes the nearest name that would.
    """
    if isinstance(name, str) and NAME_RULE.fullmatch(name):
        return name
    shown = ascii(name)
    if len(shown) > 80:
        shown = shown[:77] + "..."
    proposal = suggest_name(name) if isinstance(name, str) else None
    hint = InvalidName.default_hint + (f" Try {proposal}." if proposal else "")
    raise InvalidName(f"{shown} can't be a {what}.", hint=hint)


def suggest_name(text: str) -> str | None:
    """The valid name nearest to ``text``, or None when nothing of it could stay."""
    kept = re.sub(r"[^a-z0-9_-]+", "-", text.lower()).strip("-_")[:NAME_MAX].strip("-_")
    return kept if NAME_RULE.fullmatch(kept) else None


def nearest(word: str, known: Iterable[str], count: int = 3) -> list[str]:
    """Up to ``count`` of ``known`` that ``word`` may have been meant to be, best first."""
    import difflib  # only on the way to an error

    pool = sorted(known)
    found = difflib.get_close_matches(word.lower()[:200], pool, n=count, cutoff=0.5)
    if word:
        found += [
            name for name in pool if name not in found and (name.startswith(word) or word.startswith(name))
        ]
    return found[:count]


def check_word(word: object, known: tuple[str, ...], what: str) -> str:
    """``word`` when it is one of ``known``.

    Raises:
        InvalidArgument: it is not; the hint lists the known words, the nearest first.
    """
    if isinstance(word, str) and word in known:
        return word
    near = nearest(word, known, 1) if isinstance(word, str) else []
    hint = (f"Did you mean {near[0]}? " if near else "") + f"Known: {', '.join(known)}."
    raise InvalidArgument(f"{ascii(word)[:80]} is not a {what}.", hint=hint)


def check_kind(kind: object) -> str:
    """``kind`` when it is a word that can name a kind of message.

    Raises:
        InvalidArgument: it is not.
    """
    if isinstance(kind, str) and KIND_RULE.fullmatch(kind):
        return kind
    hint = f"A kind is a lower-case word of up to 32 letters; known: {', '.join(KINDS)}."
    raise InvalidArgument(f"{ascii(kind)[:80]} can't be a kind of message.", hint=hint)


def new_tag() -> int:
    """A random number for the tail of a message id: 25 bits."""
    return int.from_bytes(os.urandom(4), "big") & (TAG_LIMIT - 1)


def new_token(letters: int = 12) -> str:
    """``letters`` random letters of 5 bits each."""
    return "".join(_ALPHABET[byte & 31] for byte in os.urandom(letters))


def message_id(seq: int, tag: int) -> str:
    """The id of message ``seq``: ``m``, the number in base 32, and five random letters.

    The number makes the id unique and findable without an index; the tail makes it
    improbable (one in 33 million) that a mistyped id names another message.
    """
    number = ""
    while seq:
        seq, digit = divmod(seq, 32)
        number = _ALPHABET[digit] + number
    tail = ""
    for _ in range(_TAG_LETTERS):
        tag, digit = divmod(tag, 32)
        tail = _ALPHABET[digit] + tail
    return "m" + number + tail


def parse_message_id(text: str) -> tuple[int, int] | None:
    """``(seq, tag)`` of a message id, or None when ``text`` has not the form of one."""
    if len(text) < _TAG_LETTERS + 2 or len(text) > _TAG_LETTERS + 13 or text[0] != "m":
        return None
    value = 0
    for letter in text[1:]:
        digit = _VALUES.get(letter)
        if digit is None:
            return None
        value = value * 32 + digit
    seq, tag = divmod(value, TAG_LIMIT)
    return (seq, tag) if 0 < seq < 2**63 and message_id(seq, tag) == text else None
