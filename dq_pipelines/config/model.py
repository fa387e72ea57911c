"""Defines the strict base of every configuration model: frozen, without unknown keys or silent conversions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated, Any, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError, ValidatorFunctionWrapHandler, model_validator
from pydantic_core import InitErrorDetails, PydanticCustomError

from dq_pipelines.errors import nearest

_Item = TypeVar("_Item")

#: A YAML sequence as an immutable tuple.
Many = Annotated[tuple[_Item, ...], Field(strict=False)]


class Strict(BaseModel):
    """A frozen model that refuses unknown keys, with the nearest known one in the message."""

    # Validators are built at first use: each takes 2 ms, and a suite needs only a few of some sixty rules.
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, populate_by_name=True, defer_build=True)

    @model_validator(mode="wrap")
    @classmethod
    def _translate_errors(cls, value: Any, handler: ValidatorFunctionWrapHandler) -> Any:
        try:
            return handler(value)
        except ValidationError as error:
            raise ValidationError.from_exception_data(
                error.title, [cls._translated(line) for line in error.errors(include_url=False)]
            ) from None

    @classmethod
    def _translated(cls, line: Any) -> InitErrorDetails:
        # The sentence is passed as a value, since braces in it are the user's and no placeholders.
        error = PydanticCustomError(line["type"], "{sentence}", {"sentence": sentence(line, _keys(cls))})
        return InitErrorDetails(type=error, loc=line["loc"], input=line["input"])


def _keys(model: type[BaseModel]) -> list[str]:
    return [field.alias or name for name, field in model.model_fields.items()]


def sentence(line: Any, keys: Sequence[str] = ()) -> str:
    """Translate one error of a pydantic ValidationError to a sentence: wanted, got, nearest."""
    kind, location, context = line["type"], line["loc"], line.get("ctx", {})
    if "sentence" in context:
        return str(line["msg"])
    if kind == "extra_forbidden":
        return f"unknown key '{location[-1]}'{nearest(str(location[-1]), keys)}"
    if kind == "missing":
        return f"missing key '{location[-1]}'"
    if kind == "union_tag_invalid":
        known = [tag.strip("' ") for tag in context["expected_tags"].split(", ")]
        return f"unknown {_tag(context)} '{context['tag']}'{nearest(context['tag'], known)}"
    if kind == "union_tag_not_found":
        if _is_function(context):
            return f"wanted a mapping with one key, got {shown(line['input'])}"
        return f"missing key '{_tag(context)}'"
    if kind == "value_error":
        return str(context["error"])
    wanted = _WANTED.get(kind, line["msg"].removeprefix("Input should be ")).format_map(
        {name: f"{value:g}" if isinstance(value, float) else value for name, value in context.items()}
    )
    return f"wanted {wanted}, got {shown(line['input'])}"


#: Pydantic's error types, in terms of YAML.
_WANTED = {
    "string_type": "text",
    "int_type": "a whole number",
    "int_from_float": "a whole number",
    "float_type": "a number",
    "bool_type": "true or false",
    "date_type": "a date",
    "list_type": "a list",
    "tuple_type": "a list",
    "dict_type": "a mapping",
    "model_type": "a mapping",
    "model_attributes_type": "a mapping",
    "string_pattern_mismatch": "text that matches {pattern}",
    "string_too_short": "at least {min_length} character(s)",
    "string_too_long": "at most {max_length} character(s)",
    "too_short": "at least {min_length} item(s)",
    "too_long": "at most {max_length} item(s)",
    "greater_than": "more than {gt}",
    "greater_than_equal": "at least {ge}",
    "less_than": "less than {lt}",
    "less_than_equal": "at most {le}",
}


def _tag(context: Mapping[str, Any]) -> str:
    """The discriminator of a union: a key, which pydantic quotes, or one of our functions, named by the noun."""
    return str(context["discriminator"]).strip("'_()")


def _is_function(context: Mapping[str, Any]) -> bool:
    return str(context["discriminator"]).endswith("()")


def shown(value: object) -> str:
    """The value as YAML writes it, cut to 60 characters."""
    match value:
        case dict():
            text = "a mapping" if value else "an empty mapping"
        case list() | tuple():
            text = "a list" if value else "an empty list"
        case None | True | False:
            text = {None: "nothing", True: "true", False: "false"}[value]
        case str():
            text = repr(value)
        case _:
            text = str(value)
    return text if len(text) <= 60 else f"{text[:57]}..."
