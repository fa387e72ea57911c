"""Extracts the `#:` comments of a model's fields from the source, for the JSON Schema and the docs."""

from __future__ import annotations

import inspect
import re
from functools import cache

from pydantic import BaseModel

_FIELD = re.compile(r"    (\w+): ")
_REMARK = re.compile(r"    #: ?(.*)")


@cache
def remarks(model: type[BaseModel]) -> dict[str, str]:
    """Field name to comment, including the fields of base classes."""
    comments: dict[str, str] = {}
    for cls in reversed(model.__mro__):
        if issubclass(cls, BaseModel) and cls is not BaseModel:
            comments |= _own(inspect.getsource(cls))
    return comments


def _own(source: str) -> dict[str, str]:
    comments: dict[str, str] = {}
    comment: list[str] = []
    for line in source.splitlines():
        if remark := _REMARK.fullmatch(line):
            comment.append(remark[1].strip())
            continue
        if comment and (field := _FIELD.match(line)):
            comments[field[1]] = " ".join(comment)
        comment = []
    return comments


def prose(model: type[BaseModel]) -> str:
    """The docstring with the lines of each paragraph joined."""
    paragraphs = inspect.cleandoc(model.__doc__ or "").split("\n\n")
    return "\n\n".join(" ".join(paragraph.split()) for paragraph in paragraphs)
