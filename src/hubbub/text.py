"""Making text that strangers wrote safe to show.

Stored text is kept to the letter. What reaches a terminal or a model has its control
characters replaced by visible stand-ins, so that a message can neither move a cursor nor hide.
"""

from __future__ import annotations

# C0 controls have pictures at U+2400; C1 controls, the marks that reorder text, the invisible
# separators and lone surrogates have none and become U+FFFD.
_UNSAFE = {code: chr(0x2400 + code) for code in range(32) if code not in (9, 10)}
_UNSAFE[0x7F] = "\u2421"
for _first, _last in ((0x80, 0x9F), (0x200E, 0x200F), (0x2028, 0x202E), (0x2066, 0x2069), (0xD800, 0xDFFF)):
    _UNSAFE.update(dict.fromkeys(range(_first, _last + 1), "\ufffd"))
for _single in (0x061C, 0x200B, 0x2060, 0xFEFF):
    _UNSAFE[_single] = "\ufffd"
_UNSAFE.update(dict.fromkeys(range(0xE0000, 0xE0080), "\ufffd"))  # "tag" letters: invisible text

_ONE_LINE = {**_UNSAFE, 9: " ", 10: "\u2424"}


def safe_text(text: str) -> str:
    """``text`` without control characters; line feeds and tabs stay, CR LF becomes LF."""
    return text.replace("\r\n", "\n").translate(_UNSAFE)


def safe_line(text: str, limit: int | None = None) -> str:
    """``text`` as one line without control characters, cut to ``limit`` characters."""
    line = text.translate(_ONE_LINE)
    if limit is not None and len(line) > limit:
        line = line[: max(0, limit - 1)] + "…"
    return line


def has_lone_surrogate(text: str) -> bool:
    """True for text that can't be written as UTF-8 (half of a surrogate pair)."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return True
    return False


def fold_long_lines(text: str, width: int) -> tuple[str, bool]:
    """``text`` with lines over ``width`` characters broken, and whether any was."""
    lines = text.split("\n")
    if all(len(line) <= width for line in lines):
        return text, False
    folded: list[str] = []
    for line in lines:
        folded.extend([line[start : start + width] for start in range(0, len(line), width)] or [""])
    return "\n".join(folded), True
