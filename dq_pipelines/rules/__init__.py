"""Collects the rules: every concrete class in `library` is a rule, without registration.

`AnyRule` is the type of the items in YAML's `rules:` lists. To add a rule, add a class to a family's file.
"""

from __future__ import annotations

import importlib
import inspect
import pkgutil
from collections.abc import Iterator, Mapping
from functools import cache
from typing import TYPE_CHECKING, Annotated, Any, Union, get_args

from pydantic import (
    BeforeValidator,
    Field,
    TypeAdapter,
    ValidationError,
    ValidatorFunctionWrapHandler,
    WrapValidator,
)

from dq_pipelines.config.model import sentence
from dq_pipelines.errors import ConfigError, Problem
from dq_pipelines.rules import library
from dq_pipelines.rules.core.base import Rule, flat
from dq_pipelines.rules.core.bounds import AS_GX_DOES
from dq_pipelines.rules.core.gx_expectations import handed_over

__all__ = ["AnyRule", "Rule", "rule_classes", "rule_from"]


def _subclasses(cls: type[Rule]) -> Iterator[type[Rule]]:
    for subclass in cls.__subclasses__():
        if not inspect.isabstract(subclass) and not subclass.internal and _types(subclass):
            yield subclass
        yield from _subclasses(subclass)


def _types(cls: type[Rule]) -> tuple[str, ...]:
    """The names of a rule in YAML: the values of its `type: Literal[...]`."""
    return tuple(name for name in get_args(cls.model_fields["type"].annotation) if isinstance(name, str))


def rule_classes() -> dict[str, type[Rule]]:
    """Every rule by its `type`, in alphabetical order."""
    for module in pkgutil.iter_modules(library.__path__):
        importlib.import_module(f"{library.__name__}.{module.name}")
    classes = _subclasses(Rule)  # type: ignore[type-abstract] # yields only its concrete subclasses
    return dict(sorted((name, cls) for cls in classes for name in _types(cls)))


_CLASSES = rule_classes()


def _or_custom_expectation(value: Any, handler: ValidatorFunctionWrapHandler) -> Any:
    """A rule of ours, or a custom expectation that GX evaluates."""
    name = value.get("type") if isinstance(value, Mapping) else None
    if not isinstance(name, str) or name in _CLASSES or (rule := handed_over(value)) is None:
        return handler(value)
    return rule


if TYPE_CHECKING:
    AnyRule = Rule  # the members of the union are known only at run time
else:
    AnyRule = Annotated[
        Union[tuple(dict.fromkeys(_CLASSES.values()))],  # noqa: UP007 - the members are computed
        Field(discriminator="type"),
        WrapValidator(_or_custom_expectation),
        BeforeValidator(flat),
    ]


@cache
def _any_rule() -> TypeAdapter[Any]:
    return TypeAdapter(AnyRule)


def rule_from(mapping: Any, *, where: str = "", as_gx_does: bool = False) -> Rule:
    """One rule from its mapping, flat or as GX writes it; raises ConfigError with one sentence per problem.

    `as_gx_does` accepts meaningless arguments that GX accepts (bounds that cross).
    """
    if isinstance(mapping, Rule):
        return mapping
    arguments = flat(mapping)
    name = arguments.get("type") if isinstance(arguments, Mapping) else None
    cls = _CLASSES.get(name) if isinstance(name, str) else None
    try:
        # The union is used only for unknown types, since building it takes 0.1 s.
        context = {AS_GX_DOES: as_gx_does}
        return cls.model_validate(arguments, context=context) if cls else _any_rule().validate_python(arguments)
    except ValidationError as error:
        raise ConfigError([Problem(where, 0, sentence(line)) for line in error.errors(include_url=False)]) from None
