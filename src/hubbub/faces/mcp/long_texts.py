"""The long texts of steps: each gets a fair share of an answer, and says where to read on."""

from __future__ import annotations

from typing import Any, NamedTuple

from hubbub.faces.mcp.render import BODY_SHARE, LINE_WIDTH, fence_for
from hubbub.model_work import Attempt, Claim, Step
from hubbub.text import fold_long_lines, safe_text

FIELDS = ("instructions", "acceptance", "notes", "result")
"""The long texts of a step; ``notes/2`` is one of its second attempt."""
OF_ATTEMPT = ("notes", "result", "reason")

LIST_SHARE = 4000
"""Characters of one list of paths or files in an answer."""


class LongText(NamedTuple):
    """One of them, and where it stands in the answer's object."""

    name: str
    text: str
    holder: dict[str, Any]
    key: str
    read_on: str
    """The call that shows the rest, but for its offset."""


class LongTexts:
    """The long texts of one answer."""

    def __init__(self) -> None:
        self._texts: list[LongText] = []
        self._shares: list[int] = []
        self._mark = ""

    def add(self, step: str, name: str, holder: dict[str, Any], key: str | None = None) -> None:
        """The text ``holder[key]``, which is ``name`` of a step, if there is one."""
        key = key or name
        if holder.get(key):
            read_on = f"get_step(step_id={step!r}, field={name!r}"
            self._texts.append(LongText(name, holder[key], holder, key, read_on))

    @property
    def any(self) -> bool:
        """Whether there are any."""
        return bool(self._texts)

    def settle(self, total: int = BODY_SHARE) -> None:
        """All are there: cut those in the answer's object that are over their share of ``total``."""
        self._shares = shares_of([len(each.text) for each in self._texts], total)
        self._mark = fence_for([each.text for each in self._texts])
        for each, share in zip(self._texts, self._shares, strict=True):
            if len(each.text) > share:
                each.holder[each.key] = each.text[:share]
                each.holder[f"{each.key}_characters"] = len(each.text)
                each.holder[f"{each.key}_next_offset"] = share

    def lines(self, holder: dict[str, Any]) -> list[str]:
        """The texts of one object of the answer, between marks that their writers could not know."""
        found: list[str] = []
        for each, share in zip(self._texts, self._shares, strict=True):
            if each.holder is holder:
                found += fenced(each.key, each.text, self._mark, each.read_on, 0, share)
        return found


def fenced(label: str, text: str, mark: str, read_on: str, start: int, share: int) -> list[str]:
    """A part of a text between marks, and where to read on."""
    part = text[start : start + share]
    shown, folded = fold_long_lines(safe_text(part), LINE_WIDTH)
    lines = [f"<{mark} {label}>", shown, f"</{mark} {label}>"]
    if folded:
        lines.append(f"(lines over {LINE_WIDTH} characters were broken)")
    end = start + len(part)
    if start or end < len(text):
        lines.append(f"(characters {start} to {end} of {len(text)})")
    if end < len(text):
        lines.append(f"Read on: {read_on}, offset={end})")
    return lines


def shares_of(lengths: list[int], total: int) -> list[int]:
    """How much of each text is shown: short ones whole, and what they leave goes to the long ones."""
    shares, left = [0] * len(lengths), total
    order = sorted(range(len(lengths)), key=lambda place: lengths[place])
    for done, place in enumerate(order):
        shares[place] = min(lengths[place], left // (len(order) - done))
        left -= shares[place]
    return shares


def of_claim(claim: Claim, data: dict[str, Any], total: int = BODY_SHARE) -> LongTexts:
    """The long texts of a claim's object, ``total`` characters of them."""
    texts = LongTexts()
    for name in FIELDS[:2]:
        texts.add(claim.step.id, name, data["step"])
    for done in data["needs"]:
        texts.add(f"{claim.project.name}/{done['num']}", "result", done)
    _of_attempts(texts, claim.step.id, data["earlier_attempts"])
    _of_attempts(texts, claim.step.id, [data["attempt"]])
    texts.settle(total)
    return texts


def of_step(step: Step, data: dict[str, Any]) -> LongTexts:
    """The long texts of the object that tells of one step."""
    texts = LongTexts()
    for name in FIELDS[:2]:
        texts.add(step.id, name, data["step"])
    _of_attempts(texts, step.id, data["attempts"])
    texts.settle()
    return texts


def _of_attempts(texts: LongTexts, step: str, attempts: list[dict[str, Any]]) -> None:
    for attempt in attempts:
        for name in OF_ATTEMPT:
            texts.add(step, f"{name}/{attempt['number']}", attempt, name)


def field_of(step: Step, attempts: tuple[Attempt, ...], field: str) -> str | None:
    """The whole text that a field names: None when there is no such field, empty when it says nothing."""
    name, _, number = field.partition("/")
    if not number:
        return (getattr(step, name) or "") if name in FIELDS else None
    wanted = [attempt for attempt in attempts if str(attempt.number) == number]
    if name not in OF_ATTEMPT or not wanted:
        return None
    return getattr(wanted[0], name) or ""


def shorten(holder: dict[str, Any], *keys: str, share: int = LIST_SHARE) -> None:
    """Cut lists of paths of over ``share`` characters, and say how many there are."""
    for key in keys:
        items, size = holder.get(key, []), 0
        for place, item in enumerate(items):
            size += len(item)
            if size > share:
                holder[key] = items[: max(1, place)]
                holder[f"{key}_total"] = len(items)
                break
