"""Computes the shape of a text: each digit becomes 9, each capital A, each other letter a; the rest is unchanged."""

from __future__ import annotations

import re

import polars as pl


def shape_of(text: pl.Expr) -> pl.Expr:
    """Returns the shape, which is as long as the text: of `12.0 oz` it is `99.9 aa`."""
    marked = text.str.replace_all(r"\p{Nd}", "9").str.replace_all(r"[\p{Lu}\p{Lt}]", "A")
    return marked.str.replace_all(r"[\p{L}--\p{Lu}--\p{Lt}]", "a")


def runs_of(shape: pl.Expr) -> pl.Expr:
    """Reduces each run of a shape to one character: `99.9 aa` becomes `9.9 a`."""
    return shape.str.replace_all("9+", "9").str.replace_all("A+", "A").str.replace_all("a+", "a")


def parts(shape: str) -> list[str]:
    """Splits a shape into runs: `99.9 aa` into `99`, `.`, `9`, ` `, `aa`."""
    return [match[0] for match in re.finditer(r"9+|A+|a+|[^9Aa]+", shape)]


def regex_of(shape: str) -> str:
    """Returns the regex of all texts of a shape: for `99-A`, `^[0-9]{2}-[A-Z]$`."""
    classes = {"9": "[0-9]", "A": "[A-Z]", "a": "[a-z]"}
    pieces = []
    for part in parts(shape):
        if part[0] in classes:
            pieces.append(classes[part[0]] + (f"{{{len(part)}}}" if len(part) > 1 else ""))
        else:
            pieces.append(re.escape(part).replace(r"\ ", " ").replace(r"\-", "-"))
    return f"^{''.join(pieces)}$"
