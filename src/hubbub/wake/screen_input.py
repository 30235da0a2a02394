"""A terminal's output, made such that pyte reads it as a terminal does.

pyte shows as text what it does not know of a sequence: marks like ``<`` before its numbers, colons in them,
strings other than titles. It fails at more numbers than it expects. Here those are taken off or put right,
wherever reading has cut them.
"""

from __future__ import annotations

import codecs
import re

_PIECE = re.compile(
    r"(?P<text>[^\x00-\x1f\x7f-\x9f]+)"
    r"|(?P<control>[\b\t\n\x0b\x0c\r\x0e\x0f])"
    r"|\x1b\[(?P<private>[<-?]?)(?P<numbers>[0-9:;]*)(?P<odd>[<-?]*[ -/]*)(?P<final>[@-~])"
    r"|\x1b(?P<escape>[()][0-~]|[0-OQ-WYZ`-~])"
    r"|\x1b(?P<string>[\]PX^_])"
    r"|(?P<nothing>\x1b[ -/]+[0-~]|[\x00-\x1a\x1c-\x1f\x7f-\x9f])"
)
_UNFINISHED = re.compile(r"\x1b(?:\[[0-?]*[ -/]*|[ -/]*)\Z")
_BROKEN = re.compile(r"\x1b(?:\[[0-?]*[ -/]*|[ -/]*)")
_STRING_END = re.compile(r"\x07|\x1b\\|\x9c|\x18|\x1a|\x1b(?=[^\\])")
_TITLE = re.compile(r"\][02];([^\x00-\x1f\x7f-\x9f]*)")

STRING_MAX = 4096
"""Of a longer string, an image maybe, only the end is looked for."""


class Input:
    """Takes bytes as they come, gives text for pyte."""

    def __init__(self) -> None:
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")
        self._rest = ""
        """A sequence, or the end of a string, of which more has yet to come."""
        self._string: str | None = None
        """What has come of a string, from the letter that begins it."""

    @property
    def whole(self) -> bool:
        """Whether nothing is begun and not ended."""
        return not self._rest and self._string is None and not self._decoder.getstate()[0]

    def take(self, data: bytes) -> str:
        """What of it, and of what was kept before, pyte is to have."""
        text, self._rest = self._rest + self._decoder.decode(data), ""
        parts: list[str] = []
        place = 0
        while place < len(text):
            if self._string is not None:
                place = self._in_string(text, place, parts)
                continue
            found = _PIECE.match(text, place)
            if found is not None:
                place = found.end()
                parts.append(self._put_right(found))
            elif _UNFINISHED.match(text, place) and len(text) - place < STRING_MAX:
                self._rest = text[place:]
                break
            else:
                broken = _BROKEN.match(text, place)
                place = broken.end() if broken is not None else place + 1
        return "".join(parts)

    def _in_string(self, text: str, place: int, parts: list[str]) -> int:
        """Look for its end; where to go on."""
        found = _STRING_END.search(text, place)
        end = len(text) if found is None else found.start()
        if found is None and text.endswith("\x1b"):
            end, self._rest = end - 1, "\x1b"
        self._string = ((self._string or "") + text[place:end])[:STRING_MAX]
        if found is None:
            return len(text)
        title = _TITLE.fullmatch(self._string)
        if title is not None:
            parts.append(f"\x1b]2;{title[1]}\x07")
        self._string = None
        return found.end()

    def _put_right(self, found: re.Match[str]) -> str:
        kind = found.lastgroup
        if kind == "string":
            self._string = found["string"]
        if kind in ("string", "nothing"):
            return ""
        if kind != "final":
            return found[0]
        private, final = found["private"], found["final"]
        if found["odd"] or (private and not (private == "?" and final in "hl")):
            return ""
        parts = found["numbers"].split(";")
        if final == "m":
            parts = [number for part in parts for number in _look(part)]
        elif final not in "hl":
            parts = parts[: 2 if final in "Hfr" else 0 if final in "su" else 1]
        numbers = ";".join(part.partition(":")[0].lstrip("0")[:5] for part in parts)
        return f"\x1b[{private}{numbers}{final}"


def _look(part: str) -> list[str]:
    """A colour or the like that is written with colons, put as ``38;2;1;2;3``."""
    if ":" not in part:
        return [part]
    code, kind, *rest = part.split(":")
    if code in ("38", "48") and kind == "2":
        return [code, kind, *rest[-3:]] if len(rest) > 2 else []
    if code in ("38", "48") and kind == "5":
        return [code, kind, *rest[:1]]
    return [] if code == "58" else ["24" if kind == "0" else code]
