"""The text of a plan: JSON or YAML, read within limits and with the lines that things stand on, and written
so that it can be shown."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any, NamedTuple

from hubbub.errors import ImportInvalid, YamlUnavailable
from hubbub.interchange import checks
from hubbub.names import check_word
from hubbub.text import has_lone_surrogate, safe_text

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import ModuleType

FORMS = ("json", "yaml")

PLAN_BYTES = 5_000_000
"""The largest plan that is read, as UTF-8, and what the aliases of a YAML file may make of it."""

DEPTH_MAX = 60
"""How deep a plan may be nested: metadata, 50 deep, in a step."""

_PARTS_MAX = 1_000_000
_JSON_PARTS = re.compile(r'"[^"\\]*(?:\\.[^"\\]*)*"|[^\s"{}\[\],:]+|[{}\[\],:]')
_ESCAPED = json.JSONEncoder(ensure_ascii=True).encode


class Parsed(NamedTuple):
    """A plan's value, and where its parts stand."""

    value: Any
    form: str
    lines: Callable[[], dict[tuple[int, str], int]]
    """The line of a field of the plan ``(0, field)``, of a step ``(place, "")``, counted from 1, and of a
    step's field. Found when it is asked for: few plans are wrong."""

    def line(self, place: int, field: str = "") -> int | None:
        """The line of that part, or of the step that it belongs to."""
        lines = self.lines()
        return lines.get((place, field)) or lines.get((place, ""))


def invalid(
    message: str, *, line: int | None = None, hint: str | None = None, **details: Any
) -> ImportInvalid:
    """The error of a plan that can't be taken; nothing was imported."""
    shown = f"Line {line}: {message}" if line is not None else message
    known = {name: value for name, value in {"line": line, **details}.items() if value is not None}
    return ImportInvalid(shown, hint=hint or "Nothing was imported.", **known)


# --- reading -------------------------------------------------------------------------------------------


def read(text: str, form: str | None) -> Parsed:
    """The value of a plan. Without a ``form``, what begins as an object or a list is JSON, the rest YAML.

    Raises:
        ImportInvalid: it is too large, too deep, or neither.
        YamlUnavailable: it is YAML, and what reads that is not installed.
    """
    if not isinstance(text, str) or has_lone_surrogate(text):
        raise invalid("A plan is Unicode text.")
    size = len(text) if text.isascii() else len(text.encode())
    if size > PLAN_BYTES:
        raise invalid(
            f"The plan has {size} bytes; at most {PLAN_BYTES} are read.",
            hint="Nothing was imported. Import a part and add the other steps: add_steps, or hubbub step add",
        )
    text = text.removeprefix("\ufeff")
    if not text.strip():
        raise invalid("The plan is empty.")
    if form is None:
        form = "json" if text.lstrip()[0] in "{[" else "yaml"
    return _json(text) if check_word(form, FORMS, "form of a plan") == "json" else _yaml(text)


def _json(text: str) -> Parsed:
    try:
        value = checks.load(text)
    except json.JSONDecodeError as error:
        raise invalid(
            f"it is not JSON: {error.msg}, at column {error.colno}.",
            line=error.lineno,
            hint="Nothing was imported. If it is YAML, say so: the form yaml.",
        ) from None
    except ValueError as error:
        raise invalid(f"The plan is not JSON: {error}.") from None
    return Parsed(value, "json", lambda: _json_lines(text))


def _json_lines(text: str) -> dict[tuple[int, str], int]:
    """Where the parts stand of a text that is JSON."""
    lines: dict[tuple[int, str], int] = {}
    inside: list[str] = []  # what is open: the plan, its steps, a step, or anything else
    line, seen, place, key, begins = 1, 0, 0, "", True
    for found in _JSON_PARTS.finditer(text):
        part, owner = found[0], inside[-1] if inside else ""
        line += text.count("\n", seen, found.start())
        seen = found.start()
        if part in ",:":
            begins = part == ","
            continue
        if part in "}]":
            inside.pop()
            continue
        if begins and owner == "steps":
            place += 1
            lines[place, ""] = line
        if begins and owner in ("plan", "step"):
            key, begins = json.loads(part), False
            lines[place if owner == "step" else 0, key] = line
            continue
        begins = part in "{["
        if begins:
            inside.append(_opened(part, owner, key))
    return lines


def _opened(bracket: str, owner: str, key: str) -> str:
    """What of a plan begins with that bracket in that part of it."""
    if not owner:
        return "plan" if bracket == "{" else "steps"
    if owner == "steps":
        return "step" if bracket == "{" else "other"
    return "steps" if owner == "plan" and key == "steps" and bracket == "[" else "other"


def _module() -> ModuleType:
    try:
        import yaml
    except ImportError:
        raise YamlUnavailable("Plans in YAML need a package that is not installed.") from None
    return yaml


def _yaml(text: str) -> Parsed:
    yaml = _module()
    base: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)

    class Loader(base):  # type: ignore[misc]
        """The safe loader, to which a date is text as it stands there."""

    Loader.add_constructor("tag:yaml.org,2002:timestamp", base.construct_yaml_str)
    try:
        _refuse_deep(yaml, text, base)
        loader = Loader(text)
        try:
            node = loader.get_single_node()
            if node is None:
                raise invalid("The plan is empty.")
            _Weights(yaml).weigh(node)
            value = loader.construct_document(node)
        finally:
            loader.dispose()
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        what = safe_text(str(error.problem or error.context))[:200]
        raise invalid(f"it is not YAML: {what}.", line=None if mark is None else mark.line + 1) from None
    except (yaml.YAMLError, ValueError, OverflowError, RecursionError) as error:
        what = safe_text(str(error)).partition("\n")[0][:200]
        raise invalid(f"The plan can't be read as YAML: {what}.") from None
    return Parsed(value, "yaml", lambda: _lines(yaml, node))


def _refuse_deep(yaml: ModuleType, text: str, loader: Any) -> None:
    """Raise when it is nested too deeply. Looked at before anything is built, which goes into itself."""
    depth = 0
    for count, event in enumerate(yaml.parse(text, Loader=loader)):
        if isinstance(event, yaml.CollectionStartEvent):
            depth += 1
        elif isinstance(event, yaml.CollectionEndEvent):
            depth -= 1
        if depth > DEPTH_MAX or count > _PARTS_MAX:
            what = f"is nested more than {DEPTH_MAX} deep" if depth > DEPTH_MAX else "has too many parts"
            raise invalid(f"the plan {what}.", line=event.start_mark.line + 1)


class _Weights:
    """How much a document is once its aliases are written out: a few lines can make a million."""

    def __init__(self, yaml: ModuleType) -> None:
        self._yaml = yaml
        self._known: dict[int, tuple[int, int] | None] = {}
        """Weight and depth of each part; None while it is looked at."""

    def weigh(self, node: Any) -> tuple[int, int]:
        """The weight and the depth of a part.

        Raises:
            ImportInvalid: it is too much, holds itself, or names a key twice.
        """
        line = node.start_mark.line + 1
        if id(node) in self._known:
            known = self._known[id(node)]
            if known is None:
                raise invalid("an alias stands for something that holds it.", line=line)
            return known
        self._known[id(node)] = None
        weight, depth = 1, 0
        if isinstance(node, self._yaml.ScalarNode):
            weight += len(node.value)
        for child in self._children(node):
            more, below = self.weigh(child)
            weight, depth = weight + more, max(depth, below)
        if weight > PLAN_BYTES or depth >= DEPTH_MAX:
            raise invalid("its aliases make too much of the plan.", line=line)
        self._known[id(node)] = weight, depth + 1
        return weight, depth + 1

    def _children(self, node: Any) -> list[Any]:
        if isinstance(node, self._yaml.SequenceNode):
            return list(node.value)
        if not isinstance(node, self._yaml.MappingNode):
            return []
        keys = set()
        for key, _ in node.value:
            if isinstance(key, self._yaml.ScalarNode):
                if (key.tag, key.value) in keys:
                    what = ascii(key.value)[:60]
                    raise invalid(f"the key {what} is there twice.", line=key.start_mark.line + 1)
                keys.add((key.tag, key.value))
        return [part for pair in node.value for part in pair]


def _lines(yaml: ModuleType, root: Any) -> dict[tuple[int, str], int]:
    lines: dict[tuple[int, str], int] = {}

    def note(place: int, node: Any) -> None:
        for key, _ in node.value if isinstance(node, yaml.MappingNode) else ():
            if isinstance(key, yaml.ScalarNode):
                lines[place, key.value] = key.start_mark.line + 1

    note(0, root)
    steps = root
    for key, value in root.value if isinstance(root, yaml.MappingNode) else ():
        if key.value == "steps":
            steps = value
    for place, step in enumerate(steps.value if isinstance(steps, yaml.SequenceNode) else (), 1):
        lines[place, ""] = step.start_mark.line + 1
        note(place, step)
    return lines


# --- writing ---------------------------------------------------------------------------------------------


def write(value: dict[str, Any], form: str) -> str:
    """A plan as text that ends in a line feed. What could move a cursor or hide is escaped.

    Raises:
        YamlUnavailable: it is to be YAML, and what writes that is not installed.
    """
    if check_word(form, FORMS, "form of a plan") == "json":
        text = json.dumps(value, ensure_ascii=False, indent=2)
        escapes = {ord(c): _ESCAPED(c)[1:-1] for c in set(text) if safe_text(c) != c}
        return text.translate(escapes | {0x7F: "\\u007f"}) + "\n"
    return _as_yaml(value)


def _as_yaml(value: dict[str, Any]) -> str:
    yaml = _module()

    class Dumper(yaml.SafeDumper):  # type: ignore[misc,name-defined]
        """Long texts as blocks, and no aliases."""

        def ignore_aliases(self, data: Any) -> bool:
            return True

    def text_of(dumper: Any, text: str) -> Any:
        return dumper.represent_scalar("tag:yaml.org,2002:str", text, style=_style(text))

    Dumper.add_representer(str, text_of)
    dumped: str = yaml.dump(
        value,
        Dumper=Dumper,
        sort_keys=False,
        allow_unicode=True,
        default_flow_style=False,
        width=float("inf"),
    )
    # Text with such letters stands between double quotes, where they may be escaped.
    return dumped.translate({ord(c): _yaml_escape(c) for c in set(dumped) if safe_text(c) != c})


def _style(text: str) -> str | None:
    if safe_text(text) != text or any(c in text for c in "\r\x85\u2028\u2029\ufeff"):
        return '"'
    if "\n" not in text:
        return None
    lines = text.split("\n")
    plain = not text[0].isspace() and all(line == line.rstrip() for line in lines)
    return "|" if plain and not text.endswith("\n\n") else '"'


def _yaml_escape(letter: str) -> str:
    code = ord(letter)
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"
