"""Arrays in blocks that fit the processor's cache: temporary arrays of whole chunks cost more time in the kernel than in NumPy."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

_BLOCK = 16_384


def blocks(array: np.ndarray) -> Iterator[np.ndarray]:
    """Views of an array of one dimension, at most 16,384 elements each."""
    return (array[start : start + _BLOCK] for start in range(0, len(array), _BLOCK))
