"""The shape of a text: each digit a 9, each capital an A, each other letter an a, all else as it is."""

from __future__ import annotations

import re

import polars as pl


def shape_of(text: pl.Expr) -> pl.Expr:
    """`12.0 oz` is `99.9 aa`: as long as the text."""
    marked = text.str.replace_all(r"\p{Nd}", "9").str.replace_all(r"[\p{Lu}\p{Lt}]", "A")
    return marked.str.replace_all(r"[\p{L}--\p{Lu}--\p{Lt}]", "a")


def runs_of(shape: pl.Expr) -> pl.Expr:
    """`99.9 aa` is `9.9 a`: runs of one kind are one."""
    return shape.str.replace_all("9+", "9").str.replace_all("A+", "A").str.replace_all("a+", "a")


def parts(shape: str) -> list[str]:
    """The runs of a shape, in order: `99.9 aa` is `99`, `.`, `9`, ` `, `aa`."""
    return [match[0] for match in re.finditer(r"9+|A+|a+|[^9Aa]+", shape)]
