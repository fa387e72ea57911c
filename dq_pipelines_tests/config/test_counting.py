"""Counts in sentences: one of a thing is in the singular."""

from __future__ import annotations

import pytest

from dq_pipelines.config.counting import counted


@pytest.mark.parametrize(
    ("number", "noun", "said"),
    [
        (0, "file", "0 files"),
        (1, "finding", "1 finding"),
        (1, "batch", "1 batch"),
        (2, "batch", "2 batches"),
        (1_000, "row", "1,000 rows"),
    ],
)
def test_one_is_in_the_singular(number: int, noun: str, said: str) -> None:
    assert counted(number, noun) == said
