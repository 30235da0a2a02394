"""Vectors as the store keeps them: a signed byte for each number."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


def to_bytes(vectors: NDArray[np.float32]) -> list[bytes]:
    """Each row as signed bytes, its largest number being 127.

    Of a vector only the direction counts, so that its scale need not be kept.
    """
    import numpy as np  # whoever keeps house loads this file, not numpy

    largest = np.abs(vectors).max(axis=1, keepdims=True)
    whole = np.rint(vectors * (127 / np.maximum(largest, 1e-12))).astype(np.int8)
    return [row.tobytes() for row in whole]
