"""Sources: every source is a class in a module of this package, and is found by itself.

`AnySource` is what YAML's `source:` holds. A new source is a new file with a class.
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
from dq_pipelines.errors import ConfigError, Problem, SourceError
from dq_pipelines.sources.base import ROW, SHEET, SOURCE, Reading, Source
from dq_pipelines.sources.inputs import ConsumedVersion, Input, Listed, ModificationTime, PassedOver, Version

__all__ = [
    "ROW",
    "SHEET",
    "SOURCE",
    "AnySource",
    "ConsumedVersion",
    "Input",
    "Listed",
    "ModificationTime",
    "PassedOver",
    "Reading",
    "Source",
    "Version",
    "read",
    "source_by_name",
    "source_classes",
    "source_from",
    "sources_by_ending",
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
    classes = dict.fromkeys(_subclasses(Source))  # type: ignore[type-abstract]
    return dict(sorted((name, cls) for cls in classes for name in get_args(cls.model_fields["type"].annotation)))


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
    named_class = _CLASSES.get(str(mapping.get("type")))
    try:
        # The union knows what is wrong with a source that is none of them; to build it takes 20 ms.
        return named_class.model_validate(mapping) if named_class else _any_source().validate_python(mapping)
    except ValidationError as error:
        lines = error.errors(include_url=False)
        raise ConfigError([Problem(where, 0, _sentence(line)) for line in lines]) from None


def _sentence(line: Any) -> str:
    """The sentence for an error of pydantic's, with the key that it is about unless it names it itself."""
    text, key = sentence(line), ".".join(str(step) for step in line["loc"])
    return text if not key or f"'{key}'" in text else f"{key}: {text}"


def read(source: Mapping[str, Any] | Source) -> Reading:
    """What a source holds now: `source` is a mapping as in YAML, `{"type": "csv", "path": …}`, or a Source.

    `.rows` and `.unreadable` of the Reading are lazy frames. Raises ConfigError when the mapping is wrong, SourceError when
    there is nothing to read or an input as a whole cannot be read. Collecting the frames raises SourceError, too, for an
    input that turns out to be broken.
    """
    described = source_from(source)
    inputs = described.inputs()
    if not inputs:
        raise SourceError(described.nothing_found())
    return described.read(inputs)


@cache
def sources_by_ending(ranks: int = 2) -> dict[str, str]:
    """The `type` of the source that reads a file with an ending, the surest endings first.

    `ranks` is how many of the lists in `FileSource.kinds` count, 1 for the surest endings alone. The third is too unsure to
    choose a source by: a `.log` is seldom NDJSON. Where several sources list an ending, it is of the one that is surer.
    """
    by_ending: dict[str, str] = {}
    for rank in range(ranks):
        for name, source in _CLASSES.items():
            for endings in getattr(source, "kinds", ())[rank : rank + 1]:
                by_ending |= {ending: name for ending in endings if ending not in by_ending}
    return by_ending


def source_by_name(name: str) -> str | None:
    """The `type` of the source that reads a file of this name, packed or not; None where no ending tells."""
    by_ending = sources_by_ending()
    endings = [ending.lower() for ending in Path(name).suffixes if ending.lower() in by_ending]
    return by_ending[endings[-1]] if endings else None
