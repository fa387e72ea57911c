"""Rules on SQL's LIKE patterns: `%` for any characters, `_` for one, case-sensitive."""

from __future__ import annotations

import re
from typing import Annotated, ClassVar, Literal

from pydantic import Field, model_validator

from dq_pipelines.config.model import Many
from dq_pipelines.rules.core.base import Example
from dq_pipelines.rules.library.patterns import PatternRule

_WILDCARDS = {"%": ".*", "_": "."}


class LikeRule(PatternRule):
    """A rule on whether its LIKE patterns match the whole value."""

    #: the escape character, which makes a following `%`, `_` or itself literal; none by default
    escape: Annotated[str, Field(min_length=1, max_length=1)] | None = None

    @property
    def like_patterns(self) -> tuple[str, ...]:
        """The LIKE patterns, in the given order."""
        raise NotImplementedError

    @property
    def patterns(self) -> tuple[str, ...]:
        return tuple(as_regex(pattern, self.escape) for pattern in self.like_patterns)

    @model_validator(mode="after")
    def _patterns_make_sense(self) -> LikeRule:
        _ = self.patterns
        return self


def as_regex(pattern: str, escape: str | None = None) -> str:
    r"""The equivalent regular expression of Python's `re`.

    Raises ValueError for an escape character that is not followed by `%`, `_` or itself.
    """
    parts, characters = [], iter(pattern)
    for character in characters:
        if character == escape:
            escaped = next(characters, None)
            if escaped not in ("%", "_", escape):
                raise ValueError(f"LIKE pattern {pattern!r}: wanted %, _ or {escape} behind {escape}")
            parts.append(re.escape(str(escaped)))
        else:
            parts.append(_WILDCARDS.get(character) or re.escape(character))
    return rf"(?s)\A{''.join(parts)}\Z"


class ValuesMatchLike(LikeRule):
    """Every value matches `like_pattern` as a whole, as in SQL's LIKE."""

    type: Literal["expect_column_values_to_match_like_pattern"]
    title_template: ClassVar[str] = "{column} is like {like_pattern}"
    like_pattern: str

    examples: ClassVar[tuple[Example, ...]] = (
        Example(
            {"x": ["abc", "bcd", None]},
            {"column": "x", "like_pattern": "a%"},
            {"unexpected_count": 1, "missing_count": 1},
        ),
        Example({"x": ["abc", "a\nc"]}, {"column": "x", "like_pattern": "a_c"}, {"success": True}),
        Example({"x": ["10%", "100"]}, {"column": "x", "like_pattern": "10!%", "escape": "!"}, {"unexpected_count": 1}),
        Example({"x": ["A", "xa"]}, {"column": "x", "like_pattern": "a"}, {"unexpected_count": 2}),
    )

    @property
    def like_patterns(self) -> tuple[str, ...]:
        return (self.like_pattern,)


class ValuesNotMatchLike(LikeRule):
    """No value matches `like_pattern`, as in SQL's LIKE."""

    type: Literal["expect_column_values_to_not_match_like_pattern"]
    title_template: ClassVar[str] = "{column} is not like {like_pattern}"
    like_pattern: str

    wanted: ClassVar[bool] = False
    examples: ClassVar[tuple[Example, ...]] = (
        Example({"x": ["abc", "bcd", None]}, {"column": "x", "like_pattern": "%d"}, {"unexpected_count": 1}),
        Example({"x": ["abc", None]}, {"column": "x", "like_pattern": "b%"}, {"success": True, "missing_count": 1}),
    )

    @property
    def like_patterns(self) -> tuple[str, ...]:
        return (self.like_pattern,)


class ValuesMatchLikeList(LikeRule):
    """With `match_on: any`, every value matches one of the LIKE patterns; with `all`, each of them."""

    type: Literal["expect_column_values_to_match_like_pattern_list"]
    title_template: ClassVar[str] = "{column} is like {match_on} of {like_pattern_list}"
    like_pattern_list: Annotated[Many[str], Field(min_length=1)]
    match_on: Literal["any", "all"] | None = "any"

    examples: ClassVar[tuple[Example, ...]] = (
        Example({"x": ["ab", "cd", "e"]}, {"column": "x", "like_pattern_list": ["a%", "c_"]}, {"unexpected_count": 1}),
        Example(
            {"x": ["ab", "cb"]},
            {"column": "x", "like_pattern_list": ["a%", "%b"], "match_on": "all"},
            {"unexpected_count": 1},
        ),
        Example({"x": ["ab", None]}, {"column": "x", "like_pattern_list": ["a%"]}, {"success": True}),
    )

    @property
    def like_patterns(self) -> tuple[str, ...]:
        return self.like_pattern_list

    @property
    def joined_by(self) -> Literal["any", "all"]:
        return self.match_on or "any"


class ValuesNotMatchLikeList(LikeRule):
    """No value matches any of the LIKE patterns."""

    type: Literal["expect_column_values_to_not_match_like_pattern_list"]
    title_template: ClassVar[str] = "{column} is like none of {like_pattern_list}"
    like_pattern_list: Annotated[Many[str], Field(min_length=1)]

    wanted: ClassVar[bool] = False
    examples: ClassVar[tuple[Example, ...]] = (
        Example({"x": ["ab", "cd", "e"]}, {"column": "x", "like_pattern_list": ["a%", "c_"]}, {"unexpected_count": 2}),
        Example({"x": ["ab", None]}, {"column": "x", "like_pattern_list": ["b%"]}, {"success": True}),
    )

    @property
    def like_patterns(self) -> tuple[str, ...]:
        return self.like_pattern_list
