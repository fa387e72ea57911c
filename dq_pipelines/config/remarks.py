"""What the source says of a model's fields: the `#:` comments above them, for the schema and the docs.

Code and reference share one text, so that the reference cannot go stale by itself.
"""

from __future__ import annotations

import inspect
import re
from functools import cache

from pydantic import BaseModel

_FIELD = re.compile(r"    (\w+): ")
_REMARK = re.compile(r"    #: ?(.*)")


@cache
def remarks(model: type[BaseModel]) -> dict[str, str]:
    """Field name to its remark, those of the bases included."""
    found: dict[str, str] = {}
    for cls in reversed(model.__mro__):
        if issubclass(cls, BaseModel) and cls is not BaseModel:
            found |= _own(inspect.getsource(cls))
    return found


def _own(source: str) -> dict[str, str]:
    found: dict[str, str] = {}
    said: list[str] = []
    for line in source.splitlines():
        if remark := _REMARK.fullmatch(line):
            said.append(remark[1].strip())
            continue
        if said and (field := _FIELD.match(line)):
            found[field[1]] = " ".join(said)
        said = []
    return found


def prose(model: type[BaseModel]) -> str:
    """The docstring, paragraphs kept, lines joined."""
    paragraphs = inspect.cleandoc(model.__doc__ or "").split("\n\n")
    return "\n\n".join(" ".join(paragraph.split()) for paragraph in paragraphs)
