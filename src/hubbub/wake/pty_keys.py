"""What a person typed: whether something stands at the prompt that was not sent.

The bytes of a terminal's keyboard are also answers of the terminal to its program, and movements of
the mouse: those are no keys. What is not whole yet is kept until the rest has come.
"""

from __future__ import annotations

import re

KEY_NAMES = ("escape", *(f"ctrl-{chr(97 + number)}" for number in range(26)))
"""Keys that a profile can name."""

_PIECE = re.compile(
    rb"\x1b\[M(?P<old_mouse>.{3})"
    rb"|\x1b\[(?!M)(?P<private>[<-?]?)(?P<numbers>[0-9:;]*)(?P<between>[ -/]*)(?P<final>[@-~])"
    rb"|\x1b(?P<string>[\]PX^_])[^\x1b\x07]*(?:\x07|\x1b\\)"
    rb"|\x1bO(?P<function>[@-~])"
    rb"|\x1b(?P<alt>[^\x1b\[\]OPX^_])"
    rb"|(?P<control>[\x00-\x1a\x1c-\x1f\x7f])"
    rb"|(?P<text>[^\x00-\x1f\x7f]+)",
    re.DOTALL,
)
_REPLIES = b"cntRyIO"
"""Last letters of what terminals answer, and of telling that the window has or lost the focus."""

ALONE_SECONDS = 0.05
"""Escape with nothing whole behind it for so long is the key, not the begin of a sequence."""

_PASTE_END = b"\x1b[201~"
_UNFINISHED_MAX = 4096
"""An answer of the terminal that is longer than this is none."""


class Keys:
    """What came from the keyboard since the last line was sent."""

    def __init__(self, clear_keys: tuple[str, ...] = ("ctrl-c", "ctrl-u")) -> None:
        self._clear = {_code(name) for name in clear_keys}
        self._rest = b""
        self._rest_at = 0.0
        self._pasting = False
        self._backslash = False
        self.typed = 0
        """How many letters stand at the prompt, as far as the keys tell."""
        self.unsure = False
        """Keys were pressed that may have brought text there: from the history, for instance."""
        self.touched_at = float("-inf")
        """When a key was pressed last."""
        self.count = 0
        """How many keys and pastes there were that had to do with the prompt."""

    def unsent(self, now: float, *, shows_text: bool, trust_seconds: float) -> bool:
        """Whether something may stand at the prompt. What the screen of a profile shows makes up for keys
        that may have brought text, and after ``trust_seconds`` without a key for all."""
        if shows_text and trust_seconds and now - self.touched_at >= trust_seconds:
            return False
        return self.typed > 0 or (self.unsure and not shows_text)

    def feed(self, data: bytes, now: float, *, dialog: bool = False) -> None:
        """Take what came. Keys pressed while a dialog is open answer that: they are not at the prompt."""
        if not self._rest:
            self._rest_at = now
        elif now - self._rest_at > ALONE_SECONDS and not self._pasting:
            # It was the key Escape, or Alt with another one: what follows is typed.
            self._key(now, dialog, 27)
            self._rest = self._rest[1:]
        data, self._rest = self._rest + data, b""
        position = 0
        while position < len(data):
            if self._pasting:
                position = self._paste(data, position, now, dialog)
                continue
            found = _PIECE.match(data, position)
            if found is not None:
                position = found.end()
                self._take(found, now, dialog)
            elif data.startswith(b"\x1b\x1b", position) or len(data) - position > _UNFINISHED_MAX:
                position += 1
                self._key(now, dialog, 27)
            else:
                self._rest = data[position:]
                if self._rest == b"\x1b":
                    self._key(now, dialog, 27)
                return

    def _paste(self, data: bytes, position: int, now: float, dialog: bool) -> int:
        """Within a paste nothing is a key. Where to go on."""
        end = data.find(_PASTE_END, position)
        self.touched_at = now
        if not dialog:
            self.count += 1
            self.typed += (end if end >= 0 else len(data)) - position
        if end >= 0:
            self._pasting = False
            self._backslash = data[position:end].endswith(b"\\")
            return end + len(_PASTE_END)
        # The end itself may be torn apart.
        torn = next((size for size in range(5, 0, -1) if data.endswith(_PASTE_END[:size])), 0)
        self._rest = data[len(data) - torn :] if torn and len(data) - torn >= position else b""
        return len(data)

    def _take(self, found: re.Match[bytes], now: float, dialog: bool) -> None:
        kind = found.lastgroup
        if kind in ("old_mouse", "string"):
            return
        if kind == "final":
            self._sequence(found, now, dialog)
            return
        if kind == "control":
            self._key(now, dialog, found["control"][0])
            return
        self.touched_at = now
        if dialog:
            return
        self.count += 1
        if kind == "text":
            self.typed += len(found["text"].decode("utf-8", "replace"))
            self._backslash = found["text"].endswith(b"\\")
        else:  # Alt with a key, or a function key
            self._backslash = False
            self.unsure = True

    def _sequence(self, found: re.Match[bytes], now: float, dialog: bool) -> None:
        """A control sequence: an answer, the mouse, or a key in one of the ways to write it."""
        private, final = found["private"], found["final"]
        if private or final in (b"M", b"m") or (final in _REPLIES and final not in b"R"):
            return
        if final == b"~" and found["numbers"] == b"200":
            self._pasting = True
            return
        if final == b"R" and found["numbers"].count(b";") == 1:
            return  # where the cursor is; F3 with a modifier looks alike and types nothing
        numbers = [part.split(b":") for part in found["numbers"].split(b";")]
        code, modifiers, released = 0, 1, False
        if final == b"u" or (final == b"~" and numbers[0] == [b"27"]):
            code = int(numbers[2 if final == b"~" and len(numbers) > 2 else 0][0] or 0)
            if len(numbers) > 1:
                modifiers = int(numbers[1][0] or 1)
                released = numbers[1][1:2] == [b"3"]
        if released:
            return
        if not code:
            self._moved(now, dialog)
        elif modifiers in (1, 2) and code >= 32 and code != 127:
            self.touched_at = now
            if not dialog:
                self.typed += 1
                self.count += 1
        elif (modifiers - 1) & 4 and 97 <= code <= 122:
            self._key(now, dialog, code - 96)
        elif code == 13 and modifiers != 1:
            self._newline(now, dialog)
        elif code < 128:
            self._key(now, dialog, code)
        else:
            self._moved(now, dialog)

    def _moved(self, now: float, dialog: bool) -> None:
        """A key that types nothing, but may fetch something from the history."""
        self.touched_at = now
        if not dialog:
            self.count += 1
            self.unsure = True
            self._backslash = False

    def _newline(self, now: float, dialog: bool) -> None:
        self.touched_at = now
        if not dialog:
            self.typed += 1
            self.count += 1
            self._backslash = False

    def _key(self, now: float, dialog: bool, code: int) -> None:
        self.touched_at = now
        if dialog:
            return
        self.count += 1
        if code == 13 and not self._backslash:
            self.typed, self.unsure = 0, False
        elif code in (10, 13):
            self.typed += 1
        elif code in self._clear:
            self.typed, self.unsure = 0, False
        elif code in (8, 127):
            self.typed = max(0, self.typed - 1)
        else:
            self.unsure = True
        self._backslash = False


def _code(name: str) -> int:
    return 27 if name == "escape" else ord(name[-1]) - 96
