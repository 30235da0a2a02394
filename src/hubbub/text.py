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
for _first, _last in (
    (0x00AD, 0x00AD),
    (0x034F, 0x034F),
    (0x061C, 0x061C),
    (0x115F, 0x1160),
    (0x17B4, 0x17B5),
    (0x180B, 0x180F),
    (0x200B, 0x200B),
    (0x2060, 0x2065),
    (0x206A, 0x206F),
    (0x2800, 0x2800),
    (0x3164, 0x3164),
    (0xFEFF, 0xFEFF),
    (0xFFA0, 0xFFA0),
    (0xFFF9, 0xFFFB),
    (0xE0000, 0xE007F),
):
    _UNSAFE.update(dict.fromkeys(range(_first, _last + 1), "\ufffd"))
# Selectors of a letter's variant belong to emoji, and a row of them can spell out a hidden text: left out.
for _first, _last in ((0xFE00, 0xFE0F), (0xE0100, 0xE01EF)):
    _UNSAFE.update(dict.fromkeys(range(_first, _last + 1), ""))

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
