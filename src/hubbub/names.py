"""Names, ids, and the words that have a fixed meaning."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable

from hubbub.errors import InvalidArgument, InvalidName
from hubbub.text import safe_line

BUS_NAME = "hubbub"
"""Who sends what no agent did: reminders, news of work. No agent can take this name."""

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

NEAR = 0.65
"""How much of two words must agree for one to be offered in place of the other: a letter mistyped,
left out or swapped in a word of three still does."""

NEAR_LETTERS = 3
"""From how many letters on the beginning of a word stands for it."""


def check_name(name: object, what: str = "name") -> str:
    """``name`` itself when it keeps the rule for agents' names.

    Raises:
        InvalidName: it does not; the hint proposes the nearest name that would.
    """
    if isinstance(name, str) and NAME_RULE.fullmatch(name):
        return name
    proposal = suggest_name(name) if isinstance(name, str) else None
    hint = InvalidName.default_hint + (f" Try {proposal}." if proposal else "")
    raise InvalidName(f"{quoted(name)} can't be a {what}.", hint=hint)


def quoted(value: object, most: int = 80) -> str:
    """What a caller gave, in ASCII and quotes; a long text is cut and still has both its quotes."""
    shown = ascii(value)
    if len(shown) <= most:
        return shown
    return shown[: most - 4] + "..." + (shown[-1] if isinstance(value, str) else "")


def suggest_name(text: str) -> str | None:
    """The valid name nearest to ``text``, or None when nothing of it could stay."""
    kept = re.sub(r"[^a-z0-9_-]+", "-", text.lower()).strip("-_")[:NAME_MAX].strip("-_")
    return kept if NAME_RULE.fullmatch(kept) else None


def nearest(word: str, known: Iterable[str], count: int = 3) -> list[str]:
    """Up to ``count`` of ``known`` that ``word`` may have been meant to be, best first."""
    import difflib  # only on the way to an error

    pool = sorted(known)
    found = difflib.get_close_matches(word.lower()[:200], pool, n=count, cutoff=NEAR)
    # A beginning of a few letters tells; one letter does not.
    found += [
        name
        for name in pool
        if name not in found
        and min(len(word), len(name)) >= NEAR_LETTERS
        and (name.startswith(word) or word.startswith(name))
    ]
    return found[:count]


def check_own_name(name: object) -> str:
    """``name`` when an agent may take it: a valid one, and not the bus's own.

    Raises:
        InvalidName: it may not.
    """
    checked = check_name(name)
    if checked == BUS_NAME:
        raise InvalidName(f"{BUS_NAME} is the bus itself.", hint="Take another name.")
    return checked


def check_word(word: object, known: tuple[str, ...], what: str) -> str:
    """``word`` when it is one of ``known``.

    Raises:
        InvalidArgument: it is not; the hint lists the known words, the nearest first.
    """
    if isinstance(word, str) and word in known:
        return word
    near = nearest(word, known, 1) if isinstance(word, str) else []
    hint = (f"Did you mean {near[0]}? " if near else "") + f"Known: {', '.join(known)}."
    article = "an" if what[:1] in "aeiou" else "a"
    raise InvalidArgument(f"{quoted(word)} is not {article} {what}.", hint=hint)


def check_kind(kind: object) -> str:
    """``kind`` when it is a word that can name a kind of message.

    Raises:
        InvalidArgument: it is not.
    """
    if isinstance(kind, str) and KIND_RULE.fullmatch(kind):
        return kind
    hint = f"A kind is a lower-case word of up to 32 letters; known: {', '.join(KINDS)}."
    raise InvalidArgument(f"{quoted(kind)} can't be a kind of message.", hint=hint)


def new_tag() -> int:
    """A random number for the tail of a message id: 25 bits."""
    return int.from_bytes(os.urandom(4), "big") & (TAG_LIMIT - 1)


def new_token(letters: int = 12) -> str:
    """``letters`` random letters of 5 bits each."""
    return "".join(_ALPHABET[byte & 31] for byte in os.urandom(letters))


def make_id(letter: str, number: int, tag: int) -> str:
    """The id of thing ``number`` of a kind: the kind's letter, the number in base 32, five random letters.

    The number makes the id unique and findable without an index; the tail makes it
    improbable (one in 33 million) that a mistyped id names another thing.
    """
    shown = ""
    while number:
        number, digit = divmod(number, 32)
        shown = _ALPHABET[digit] + shown
    tail = ""
    for _ in range(_TAG_LETTERS):
        tag, digit = divmod(tag, 32)
        tail = _ALPHABET[digit] + tail
    return letter + shown + tail


def parse_id(letter: str, text: str) -> tuple[int, int] | None:
    """``(number, tag)`` of an id of that kind, or None when ``text`` has not the form of one."""
    if len(text) < _TAG_LETTERS + 2 or len(text) > _TAG_LETTERS + 13 or text[0] != letter:
        return None
    value = 0
    for digit_letter in text[1:]:
        digit = _VALUES.get(digit_letter)
        if digit is None:
            return None
        value = value * 32 + digit
    number, tag = divmod(value, TAG_LIMIT)
    return (number, tag) if 0 < number < 2**63 and make_id(letter, number, tag) == text else None


def message_id(seq: int, tag: int) -> str:
    """The id of the mail with this ``seq``, e.g. ``m1x7q2k9``."""
    return make_id("m", seq, tag)


def parse_message_id(text: str) -> tuple[int, int] | None:
    """``(seq, tag)`` of a mail's id, or None when ``text`` has not the form of one."""
    return parse_id("m", text)


def post_id(number: int, tag: int) -> str:
    """The id of a message of a topic, e.g. ``p1x7q2k9``."""
    return make_id("p", number, tag)


def parse_post_id(text: str) -> tuple[int, int] | None:
    """``(number, tag)`` of a topic message's id, or None when ``text`` has not the form of one."""
    return parse_id("p", text)


def topic_id(number: int, tag: int) -> str:
    """The id of a topic, e.g. ``t1x7q2k9``."""
    return make_id("t", number, tag)


def parse_topic_id(text: str) -> tuple[int, int] | None:
    """``(number, tag)`` of a topic's id, or None when ``text`` has not the form of one."""
    return parse_id("t", text)


def project_id(number: int, tag: int) -> str:
    """The id of a project, e.g. ``j1x7q2k9``."""
    return make_id("j", number, tag)


def step_id(number: int, tag: int) -> str:
    """The id of a step, e.g. ``s1x7q2k9``."""
    return make_id("s", number, tag)


def reservation_id(number: int, tag: int) -> str:
    """The id of a reservation, e.g. ``r1x7q2k9``."""
    return make_id("r", number, tag)


TOPIC_NAME_MAX = 128


def topic_key(name: str) -> str:
    """What a topic's name is compared by: look-alikes and capitals make no other topic."""
    import unicodedata

    return " ".join(unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", name).casefold()).split())


def check_topic_name(name: object) -> str:
    """``name``, without a leading ``#``, when it can be a topic's.

    Raises:
        InvalidArgument: it can't.
    """
    rule = f"A topic's name is one printable line of 1 to {TOPIC_NAME_MAX} characters."
    if not isinstance(name, str):
        raise InvalidArgument("A topic's name must be text.", hint=rule)
    kept = name.strip().removeprefix("#").strip()
    if len(kept) > TOPIC_NAME_MAX:
        raise InvalidArgument(f"The topic's name has {len(kept)} characters.", hint=rule)
    if not kept or not safe_name(kept):
        raise InvalidArgument(f"{quoted(name)} can't be a topic's name.", hint=rule)
    if parse_topic_id(kept) is not None:
        raise InvalidArgument(f"{kept} has the form of a topic's id and can't be a name.", hint=rule)
    return kept


def safe_name(name: str) -> bool:
    """True when nothing in ``name`` is invisible, reorders text or moves a cursor."""
    return name.isprintable() and safe_line(name) == name
