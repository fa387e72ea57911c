"""Rules on regular expressions, with the meaning of Python's `re.search`."""

from __future__ import annotations

import abc
from typing import Annotated, ClassVar, Literal

import narwhals as nw
from pydantic import AfterValidator, Field

from dq_pipelines.config.model import Many
from dq_pipelines.rules.core.auxiliary_queries import PythonRegex
from dq_pipelines.rules.core.base import Example
from dq_pipelines.rules.core.column_value import Value
from dq_pipelines.rules.core.columns import Columns
from dq_pipelines.rules.core.dialect import RegexFlavour, Unsupported
from dq_pipelines.rules.core.on_rows import ColumnRule
from dq_pipelines.rules.core.regex import check, translated

#: A regular expression of Python's `re`, found anywhere in the text unless it is anchored.
Regex = Annotated[str, AfterValidator(check)]


class PatternRule(ColumnRule):
    """A rule on whether patterns are found in the value's text; a subclass gives the patterns."""

    #: whether a match passes (True) or fails (False)
    wanted: ClassVar[bool] = True

    @property
    @abc.abstractmethod
    def patterns(self) -> tuple[str, ...]:
        """The patterns, in the given order."""

    @property
    def joined_by(self) -> Literal["any", "all"]:
        """Whether any pattern must be found for a match, or all."""
        return "any"

    def auxiliary_query(self) -> PythonRegex | None:
        if all(translated(pattern) is not None for pattern in self.patterns):
            return None
        return PythonRegex(self.column, self.patterns, self.joined_by)

    def holds(self, value: Value) -> nw.Expr:
        found = [value.text.str.contains(_for_engine(pattern, value.dialect.regex)) for pattern in self.patterns]
        return self._as_wanted(_joined(found, self.joined_by))

    def fails(self, columns: Columns) -> nw.Expr:
        query = self.auxiliary_query()
        if query is None:
            return super().fails(columns)
        return (~self._as_wanted(columns.answer(query))).fill_null(False)

    def _as_wanted(self, found: nw.Expr) -> nw.Expr:
        return found if self.wanted else ~found


def _for_engine(pattern: str, flavour: RegexFlavour) -> str:
    found = translated(pattern, flavour)
    if found is None:
        raise Unsupported(f"its regular expressions cannot say {pattern!r}")
    return found


def _joined(found: list[nw.Expr], by: Literal["any", "all"]) -> nw.Expr:
    if len(found) == 1:
        return found[0]
    return (nw.any_horizontal if by == "any" else nw.all_horizontal)(*found, ignore_nulls=False)


class ValuesMatchRegex(PatternRule):
    """`regex` is found in every value, anywhere in it unless the pattern is anchored with `^` and `$`."""

    type: Literal["expect_column_values_to_match_regex"]
    title_template: ClassVar[str] = "{column} matches {regex}"
    regex: Regex = "(?s).*"

    examples: ClassVar[tuple[Example, ...]] = (
        Example(
            {"x": ["ab", "b1", None]}, {"column": "x", "regex": "^[a-z]+$"}, {"unexpected_count": 1, "missing_count": 1}
        ),
        Example({"x": ["ok\n", "ok"]}, {"column": "x", "regex": "^[a-z ]+$"}, {"success": True}),
        Example({"x": ["xay", "b"]}, {"column": "x", "regex": "a"}, {"unexpected_count": 1}),
        Example({"x": ["abab", "abba"]}, {"column": "x", "regex": r"^(..)\1$"}, {"unexpected_count": 1}),
        Example({"x": ["a1", "1a"]}, {"column": "x", "regex": r"^(?=.*\d)[a-z]"}, {"unexpected_count": 1}),
        Example({"x": [1, 22]}, {"column": "x", "regex": r"^\d$"}, {"unexpected_count": 1}),
    )

    @property
    def patterns(self) -> tuple[str, ...]:
        return (self.regex,)


class ValuesNotMatchRegex(PatternRule):
    """`regex` is not found in any value, nor in a part of it."""

    type: Literal["expect_column_values_to_not_match_regex"]
    title_template: ClassVar[str] = "{column} does not match {regex}"
    regex: Regex

    wanted: ClassVar[bool] = False
    examples: ClassVar[tuple[Example, ...]] = (
        Example(
            {"x": ["ab", "b1", None]}, {"column": "x", "regex": r"\d"}, {"unexpected_count": 1, "missing_count": 1}
        ),
        Example({"x": ["", "b"]}, {"column": "x", "regex": "^$"}, {"unexpected_count": 1}),
        Example({"x": ["ab", None]}, {"column": "x", "regex": r"\d"}, {"success": True, "missing_count": 1}),
        Example({"x": ["aa", "ab"]}, {"column": "x", "regex": r"(.)\1"}, {"unexpected_count": 1}),
    )

    @property
    def patterns(self) -> tuple[str, ...]:
        return (self.regex,)


class ValuesMatchRegexList(PatternRule):
    """With `match_on: any`, at least one of the patterns is found in every value; with `all`, each of them."""

    type: Literal["expect_column_values_to_match_regex_list"]
    title_template: ClassVar[str] = "{column} matches {match_on} of {regex_list}"
    regex_list: Annotated[Many[Regex], Field(min_length=1)]
    match_on: Literal["any", "all"] = "any"

    examples: ClassVar[tuple[Example, ...]] = (
        Example({"x": ["ab", "12", "-"]}, {"column": "x", "regex_list": ["[a-z]", r"\d"]}, {"unexpected_count": 1}),
        Example(
            {"x": ["a1", "12", None]},
            {"column": "x", "regex_list": ["[a-z]", r"\d"], "match_on": "all"},
            {"unexpected_count": 1, "missing_count": 1},
        ),
        Example({"x": ["ab", "12"]}, {"column": "x", "regex_list": ["[a-z]", r"\d"]}, {"success": True}),
    )

    @property
    def patterns(self) -> tuple[str, ...]:
        return self.regex_list

    @property
    def joined_by(self) -> Literal["any", "all"]:
        return self.match_on


class ValuesNotMatchRegexList(PatternRule):
    """None of the patterns is found in any value."""

    type: Literal["expect_column_values_to_not_match_regex_list"]
    title_template: ClassVar[str] = "{column} matches none of {regex_list}"
    regex_list: Annotated[Many[Regex], Field(min_length=1)]

    wanted: ClassVar[bool] = False
    examples: ClassVar[tuple[Example, ...]] = (
        Example({"x": ["ab", "12", "-"]}, {"column": "x", "regex_list": ["[a-z]", r"\d"]}, {"unexpected_count": 2}),
        Example({"x": [None, "-"]}, {"column": "x", "regex_list": ["[a-z]"]}, {"success": True, "missing_count": 1}),
    )

    @property
    def patterns(self) -> tuple[str, ...]:
        return self.regex_list
