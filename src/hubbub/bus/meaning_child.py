"""The child that computes vectors, or answers searches.

``python -m hubbub.bus.meaning_child TASK URL [HOLDER]``. It ends when its standard input does, and so with
the process that started it.
"""

from __future__ import annotations

import json
import os
import select
import sys
from typing import Any

from hubbub.bus.meaning import Meaning
from hubbub.errors import HubbubError
from hubbub.model_search import Where
from hubbub.stores import open_store

REST = 60.0
"""Seconds without a question after which the child that answers ends."""

NICENESS = 10
"""Computing vectors gives way to everything else on the machine."""


def main(task: str, url: str, holder: str | None = None) -> int:
    """Do ``index`` or ``answer``, with the work leased to ``holder``; the exit status."""
    return _index(url, holder) if task == "index" else _answer(url, holder)


def _index(url: str, holder: str | None) -> int:
    os.nice(NICENESS)
    try:
        store = open_store(url, create=False)
        try:
            # Nothing is ever written to it: it becomes readable when it ends.
            Meaning(store, holder=holder).index(stop=lambda: _readable(0.0))
        finally:
            store.close()
    except HubbubError:
        return 1
    return 0


def _answer(url: str, holder: str | None) -> int:
    meaning: Meaning | None = None
    while _readable(REST):
        line = sys.stdin.buffer.readline()
        if not line:
            break
        try:
            if meaning is None:
                meaning = Meaning(open_store(url, create=False), holder=holder)
            answer = _one(meaning, json.loads(line))
        except HubbubError as error:
            answer = {"error": error.as_dict()}
        sys.stdout.write(json.dumps(answer) + "\n")
        sys.stdout.flush()
    return 0


def _one(meaning: Meaning, asked: dict[str, Any]) -> dict[str, Any]:
    found = meaning.find(
        asked["query"], reader=asked["reader"], where=Where(*asked["where"]), limit=asked["limit"]
    )
    return {"hits": found.hits, "behind": found.behind}


def _readable(seconds: float) -> bool:
    return bool(select.select([sys.stdin.buffer], [], [], seconds)[0])


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:4]))
