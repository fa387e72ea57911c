from __future__ import annotations

import re
from typing import Any

import pytest
import yaml

from dq_pipelines.rules import rule_classes, rule_from
from dq_pipelines.rules.core.base import Example, Rule
from dq_pipelines.rules.core.check_names import check_names
from dq_pipelines.rules.core.render import as_yaml, fingerprint

BETWEEN = {"type": "expect_column_values_to_be_between", "column": "amount", "min_value": 0}
ALL = [rule_from({"type": name, **one.kwargs}) for name, cls in rule_classes().items() for one in cls.examples]


def rule(**more: Any) -> Rule:
    return rule_from({**BETWEEN, **more})


def test_a_rule_is_written_as_its_user_would_write_it() -> None:
    text = as_yaml(rule(severity="warning", mostly=0.9, row_condition="x > 1"))
    assert text == (
        "type: expect_column_values_to_be_between\ncolumn: amount\nmin_value: 0\n"
        "mostly: 0.9\nrow_condition: x > 1\nseverity: warning\n"
    )


@pytest.mark.parametrize("one", ALL, ids=lambda one: one.type)
def test_what_is_written_is_read_as_the_same_rule(one: Rule) -> None:
    again = rule_from(yaml.safe_load(as_yaml(one)))
    assert again == one
    assert fingerprint(again) == fingerprint(one)


@pytest.mark.parametrize(
    "text", ["é", "\N{GRINNING FACE} " * 30, "a: b", "x" * 150, "a b " * 50, "yes", "1", "2026-01-01", "two\nlines\n"]
)
def test_text_is_written_as_the_pure_python_emitter_writes_it(text: str) -> None:
    wanted = {"type": "expect_column_values_to_be_in_set", "column": "a", "value_set": [text, "b"], "description": text}
    assert as_yaml(rule_from(wanted)) == yaml.safe_dump(wanted, sort_keys=False, allow_unicode=True, width=100)


def test_equal_numbers_of_two_types_are_written_apart() -> None:
    written = [as_yaml(rule(min_value=value)).splitlines()[2] for value in (1, 1.0, 1)]
    assert written == ["min_value: 1", "min_value: 1.0", "min_value: 1"]


def test_names_of_checks_are_unique_and_plain() -> None:
    rules = [
        rule(),
        rule(column="Größe (m)"),
        rule(min_value=1),
        rule_from({"type": "expect_compound_columns_to_be_unique", "column_list": ["a", "b"]}),
        rule_from({"type": "expect_table_row_count_to_equal", "value": 3}),
        rule(min_value=2),
    ]
    assert check_names(rules) == [
        "amount__between",
        "Gr_e_m___between",
        "amount__between_2",
        "a__b__compound_columns_unique",
        "row_count_equal",
        "amount__between_3",
    ]


def test_names_of_checks_stay_when_other_rules_come() -> None:
    names = check_names(ALL)
    assert len(set(names)) == len(names)
    assert all(re.fullmatch(r"[A-Za-z0-9_]+", name) for name in names)
    assert check_names(ALL[:5]) == names[:5]


def test_a_name_that_looks_like_the_second_of_another_is_not_given_twice() -> None:
    names = check_names([rule(column="a_2"), rule(column="a"), rule(column="a", min_value=1)])
    assert names == [
        "a_2__between",
        "a__between",
        "a__between_2",
    ]


@pytest.mark.parametrize(
    "same",
    [{"severity": "info"}, {"on_failure": "drop"}, {"description": "d"}, {"strict_min": False}, {"max_value": None}],
)
def test_a_fingerprint_stays_while_the_meaning_does(same: dict[str, Any]) -> None:
    assert fingerprint(rule(**same)) == fingerprint(rule())


@pytest.mark.parametrize("other", [{"min_value": 1}, {"strict_min": True}, {"column": "b"}, {"row_condition": "x > 1"}])
def test_a_fingerprint_changes_with_the_meaning(other: dict[str, Any]) -> None:
    assert fingerprint(rule(**other)) != fingerprint(rule())


def test_a_fingerprint_is_the_same_in_every_process() -> None:
    assert fingerprint(rule()) == fingerprint(
        rule_from({"type": BETWEEN["type"], "kwargs": {"min_value": 0, "column": "amount"}})
    )
    assert re.fullmatch("[0-9a-f]{16}", fingerprint(rule()))


def test_an_example_is_data() -> None:
    assert all(isinstance(one, Example) for cls in rule_classes().values() for one in cls.examples)
