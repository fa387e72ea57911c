"""The outside world: every source is a class in this room, found by itself; nothing is registered.

`AnySource` is what YAML's `source:` holds. Adding a source is adding a file with a class.
"""

from __future__ import annotations

import importlib
import inspect
import pkgutil
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Union, get_args

from pydantic import Field, TypeAdapter, ValidationError

from dq_pipelines.config.model import sentence
from dq_pipelines.config.stores import is_remote
from dq_pipelines.errors import ConfigError, Problem, SourceError, nearest
from dq_pipelines.sources.base import ROW, SOURCE, Input, Reading, Source

__all__ = [
    "ROW",
    "SOURCE",
    "AnySource",
    "Input",
    "Reading",
    "Source",
    "nothing_found",
    "read",
    "source_classes",
    "source_from",
]


def _subclasses(cls: type[Source]) -> Iterator[type[Source]]:
    for subclass in cls.__subclasses__():
        if not inspect.isabstract(subclass) and "type" in subclass.model_fields:
            yield subclass
        yield from _subclasses(subclass)


def source_classes() -> dict[str, type[Source]]:
    """Every source by its `type`, in alphabetical order."""
    for module in pkgutil.iter_modules(__path__):
        importlib.import_module(f"{__name__}.{module.name}")
    found = dict.fromkeys(_subclasses(Source))  # type: ignore[type-abstract]
    return dict(sorted((name, cls) for cls in found for name in get_args(cls.model_fields["type"].annotation)))


_CLASSES = source_classes()

if TYPE_CHECKING:
    AnySource = Source
else:  # the members are only known at run time
    AnySource = Annotated[Union[tuple(dict.fromkeys(_CLASSES.values()))], Field(discriminator="type")]  # noqa: UP007


@cache
def _any_source() -> TypeAdapter[Any]:
    return TypeAdapter(AnySource)


def source_from(mapping: Mapping[str, Any] | Source, *, where: str = "") -> Source:
    """One source from its mapping; raises ConfigError with a sentence per problem."""
    if isinstance(mapping, Source):
        return mapping
    known = _CLASSES.get(str(mapping.get("type")))
    try:
        # The union knows what is wrong with a source that is none of them; to build it takes 20 ms.
        return known.model_validate(mapping) if known else _any_source().validate_python(mapping)
    except ValidationError as error:
        lines = error.errors(include_url=False)
        raise ConfigError([Problem(where, 0, _said(line)) for line in lines]) from None


def _said(line: Any) -> str:
    """The sentence, with the key that it is about unless it names it itself."""
    said, key = sentence(line), ".".join(str(step) for step in line["loc"])
    return said if not key or f"'{key}'" in said else f"{key}: {said}"


def read(source: Mapping[str, Any] | Source) -> Reading:
    """What a source holds now: `source` is a mapping as in YAML, `{"type": "csv", "path": …}`, or a Source.

    `.rows` and `.unreadable` of the Reading are lazy frames. Raises ConfigError when the mapping is wrong,
    SourceError when there is nothing to read or an input as a whole cannot be read; an input that turns
    out to be broken only while the frames are collected raises SourceError then.
    """
    described = source_from(source)
    found = described.inputs()
    if not found:
        raise SourceError(nothing_found(described))
    return described.read(found)


def nothing_found(source: Source) -> str:
    """The sentence for a source that has no inputs: its path, and what there is instead."""
    path = str(getattr(source, "path", ""))
    if is_remote(path):
        return f"{path}: wanted at least one file, got none"
    folder = Path(path).expanduser().absolute()
    while not folder.is_dir():  # the deepest folder that is there, above any wildcard
        folder = folder.parent
    names = sorted(entry.name + "/" * entry.is_dir() for entry in folder.iterdir())
    there = ", ".join(names[:8]) + (f" and {len(names) - 8} more" if len(names) > 8 else "") or "nothing"
    return f"{path}: wanted at least one file, got none; in {folder} there is {there}{nearest(Path(path).name, names)}"
