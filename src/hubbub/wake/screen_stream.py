"""A terminal's output, cut into text, control characters and sequences.

What comes is cut wherever a read ended: half a letter, half a sequence. What is not whole yet is kept
until the rest has come.
"""

from __future__ import annotations

import codecs
import re

_TOKEN = re.compile(
    r"(?P<text>[^\x00-\x1f\x7f-\x9f]+)"
    r"|\x1b\[(?P<private>[<-?]?)(?P<numbers>[0-9:;]*)[<-?]*(?P<between>[ -/]*)(?P<final>[@-~])"
    r"|\x1b(?P<string>[\]PX^_])(?P<content>[^\x1b\x07\x18\x1a\x9c]*)"
    r"(?:\x07|\x1b\\|\x9c|[\x18\x1a]|(?=\x1b[^\\]))"
    r"|\x1b(?P<escape_between>[ -/]*)(?P<escape_final>[0-OQ-WYZ`-~\\])"
    r"|(?P<control>[\x00-\x1a\x1c-\x1f\x7f-\x9f])"
)
_BROKEN = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[^ -~]|[ -/]*[^ -~]|[\]PX^_].*\Z)", re.DOTALL)
"""What begins as a sequence and is none."""

STRING_MAX = 4096
"""Longest title or the like that is kept; of a longer string, an image maybe, only the end is looked for."""

_STRING_END = re.compile(r"\x07|\x1b\\|\x9c|\x18|\x1a|\x1b(?=[^\\])")


class Reader:
    """Cuts output up; a :class:`hubbub.wake.screen.Screen` acts on the pieces."""

    def __init__(self) -> None:
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")
        self._rest = ""
        self._skipping = False
        """Within a string that is too long to be kept."""
        self.title: str | None = None
        """What the program made the terminal's title, if it did."""
        self._dim = False
        self._grey = False

    @property
    def between_sequences(self) -> bool:
        """Nothing is begun and not ended: other bytes would not tear anything apart."""
        return not self._rest and not self._skipping and not self._decoder.getstate()[0]

    def feed(self, data: bytes) -> None:
        """Take what the program wrote."""
        text = self._rest + self._decoder.decode(data)
        self._rest = ""
        position = self._skip(text) if self._skipping else 0
        while position < len(text):
            found = _TOKEN.match(text, position)
            if found is None:
                position = self._unclear(text, position)
                if position < 0:
                    return
                continue
            position = found.end()
            self._take(found)

    def _unclear(self, text: str, position: int) -> int:
        """Where to go on behind what is no piece; -1 when its rest has yet to come."""
        broken = _BROKEN.match(text, position)
        if broken is not None and text[position + 1 : position + 2] not in "]PX^_":
            return broken.end() - 1 if text[broken.end() - 1] == "\x1b" else broken.end()
        if len(text) - position > STRING_MAX:
            self._skipping = True
            # Its end may be torn apart, too.
            self._rest = "\x1b" if text.endswith("\x1b") else ""
            return -1
        self._rest = text[position:]
        return -1

    def _skip(self, text: str) -> int:
        """Where a long string ends; the length of ``text`` when it does not yet."""
        found = _STRING_END.search(text)
        if found is not None:
            self._skipping = False
            return found.end() if len(found[0]) == 2 or found[0] != "\x1b" else found.start()
        self._rest = "\x1b" if text.endswith("\x1b") else ""
        return len(text)

    def _take(self, found: re.Match[str]) -> None:
        kind = found.lastgroup
        if kind == "text":
            self.text(found["text"])
        elif kind == "control":
            self.control(found["control"])
        elif kind == "final":
            self._sequence(found)
        elif kind == "content":
            code, mark, title = found["content"].partition(";")
            if found["string"] == "]" and mark and code in ("0", "2"):
                self.title = title
        elif kind == "escape_final":
            self.escape(found["escape_between"], found["escape_final"])

    def _sequence(self, found: re.Match[str]) -> None:
        numbers = found["numbers"]
        if found["final"] == "m" and not found["private"] and not found["between"]:
            self._look(numbers)
            return
        values = [_number(part) for part in numbers.split(";")]
        self.sequence(found["private"], values, found["between"], found["final"])

    def _look(self, numbers: str) -> None:
        """SGR: of how letters look, only what is faint or grey matters."""
        parts = numbers.split(";")
        while parts:
            part = parts.pop(0)
            code = part.partition(":")[0]
            if code in ("", "0", "00"):
                self._dim = self._grey = False
            elif code == "2":
                self._dim = True
            elif code == "22":
                self._dim = False
            elif code == "38":
                colour = part.split(":")[1:] if ":" in part else _colour(parts)
                self._grey = is_grey(colour)
            elif code == "48" and ":" not in part:
                _colour(parts)
            elif code == "90":
                self._grey = True
            elif code == "39" or (len(code) == 2 and code[0] in "39" and code[1] in "01234567"):
                self._grey = False
        self.rendition(self._dim or self._grey)

    def text(self, text: str) -> None:
        """Letters."""

    def control(self, code: str) -> None:
        """A control character."""

    def escape(self, between: str, final: str) -> None:
        """An escape sequence of a letter."""

    def sequence(self, private: str, numbers: list[int], between: str, final: str) -> None:
        """A control sequence but SGR."""

    def rendition(self, faint: bool) -> None:
        """Letters are faint or grey from here on, or no longer."""


def _number(part: str) -> int:
    digits = part.partition(":")[0]
    return min(int(digits), 9999) if digits and len(digits) < 6 else 0


def _colour(parts: list[str]) -> list[str]:
    """Take the numbers of a colour off ``parts``: ``5;N`` or ``2;R;G;B``."""
    count = {"5": 2, "2": 4}.get(parts[0], 1) if parts else 0
    taken = parts[:count]
    del parts[:count]
    return taken


def is_grey(colour: list[str]) -> bool:
    """Whether a colour is a grey between black and white, in which programs write hints."""
    values = [_number(part) for part in colour if part]
    if len(values) == 2 and values[0] == 5:
        return values[1] == 8 or 236 <= values[1] <= 249
    if len(values) >= 4 and values[0] == 2:
        red, green, blue = values[-3:]
        return max(red, green, blue) - min(red, green, blue) <= 24 and 48 <= red <= 190
    return False
