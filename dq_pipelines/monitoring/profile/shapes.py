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


def regex_of(shape: str) -> str:
    """The regex of the texts of one shape: `99-A` is `^[0-9]{2}-[A-Z]$`."""
    classes = {"9": "[0-9]", "A": "[A-Z]", "a": "[a-z]"}
    pieces = []
    for part in parts(shape):
        if part[0] in classes:
            pieces.append(classes[part[0]] + (f"{{{len(part)}}}" if len(part) > 1 else ""))
        else:
            pieces.append(re.escape(part).replace(r"\ ", " ").replace(r"\-", "-"))
    return f"^{''.join(pieces)}$"
