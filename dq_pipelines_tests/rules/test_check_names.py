"""Names of checks are short and unique, and those of earlier releases lead to them."""

from __future__ import annotations

import re
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dq_pipelines.rules import rule_classes, rule_from
from dq_pipelines.rules.core.base import Rule
from dq_pipelines.rules.core.check_names import check_names, current_name, renamed, short_name
from dq_pipelines.rules.core.titles import sentence, title

BETWEEN, UNIQUE = "expect_column_values_to_be_between", "expect_compound_columns_to_be_unique"
EXAMPLES = {
    name: [rule_from({"type": name, **one.kwargs}) for one in cls.examples] for name, cls in rule_classes().items()
}
#: A column whose name ends in a number may have had the number of another column's second rule.
COLUMNS = st.text("ab ,-é_", min_size=1, max_size=4).filter(lambda name: name.strip(" ,") == name)


def earlier_names(rules: Sequence[Rule]) -> list[str]:
    """The names as releases made them up to version 4 of the history."""
    names: list[str] = []
    for rule in rules:
        wanted = re.sub(r"[^A-Za-z0-9_]+", "_", "__".join([rule.type, *rule.columns_judged]))
        name, count = wanted, 1
        while name in names:
            count += 1
            name = f"{wanted}_{count}"
        names.append(name)
    return names


def between(column: str) -> Rule:
    return rule_from({"type": BETWEEN, "column": column, "min_value": 0})


def unique(columns: Sequence[str]) -> Rule:
    return rule_from({"type": UNIQUE, "column_list": list(columns)})


@given(st.lists(COLUMNS.map(between) | st.lists(COLUMNS, min_size=2, max_size=3, unique=True).map(unique), max_size=6))
def test_earlier_names_lead_to_todays(rules: list[Rule]) -> None:
    names = check_names(rules)
    assert len(set(names)) == len(names)
    found = [
        current_name(name, rule.type, rule.column_label) for name, rule in zip(earlier_names(rules), rules, strict=True)
    ]
    assert found == names
    again = [current_name(name, rule.type, rule.column_label) for name, rule in zip(names, rules, strict=True)]
    assert again == names, "a name of today stays"


@pytest.mark.parametrize("name", EXAMPLES)
def test_so_do_those_of_every_rule(name: str) -> None:
    rules = EXAMPLES[name]
    pairs = list(zip(earlier_names(rules), check_names(rules), rules, strict=True))
    assert [current_name(earlier, rule.type, rule.column_label) for earlier, _, rule in pairs] == [
        now for _, now, _ in pairs
    ]
    alone = [(earlier, now) for earlier, now, _ in pairs if not name.startswith("unexpected_rows")]
    assert [renamed(earlier) for earlier, _ in alone] == [now for _, now in alone]


def test_each_type_has_a_short_name_of_its_own() -> None:
    names = {short_name(name): name for name in rule_classes()}
    assert len(names) == len(rule_classes())
    assert max(map(len, names)) <= 41
    assert not any(name.startswith("expect_") for name in names)


@pytest.mark.parametrize("name", ["rows_accounted_for", "schema_drift", "anomaly_mean_amount", "inputs_readable"])
def test_other_checks_keep_their_names(name: str) -> None:
    assert renamed(name) == current_name(name, name, None) == name
    assert current_name(name, "anomaly", "amount") == name


@pytest.mark.parametrize(
    ("rule", "words"),
    [
        ({"type": BETWEEN, "column": "amount", "min_value": 0, "max_value": 500}, "amount is between 0 and 500"),
        ({"type": BETWEEN, "column": "amount", "min_value": 0, "strict_min": True}, "amount is above 0"),
        (
            {"type": BETWEEN, "column": "amount", "max_value": 5, "mostly": 0.995, "row_condition": "kind == 'x'"},
            "amount is at most 5 in at least 99.5 % of rows where kind == 'x'",
        ),
        (
            {"type": "expect_column_values_to_be_in_set", "column": "shop", "value_set": list("abcdefg")},
            "shop is one of a, b, c, d, e and 2 more",
        ),
        ({"type": "expect_column_values_to_not_be_null", "column": "id"}, "id is present"),
        ({"type": "expect_column_values_to_match_regex", "column": "{id}", "regex": "^a{2}$"}, "{id} matches ^a{2}$"),
        ({"type": "expect_table_row_count_to_be_between", "min_value": 1}, "the number of rows is at least 1"),
        (
            {"type": "expect_column_values_to_exist_in", "column": "shop", "table": "silver/shops", "key": "id"},
            "shop exists in silver/shops as id",
        ),
        (
            {"type": BETWEEN, "column": "at", "max_value": {"$PARAMETER": "now() - timedelta(days=1)"}},
            "at is at most now() - timedelta(days=1)",
        ),
    ],
)
def test_a_rule_in_words(rule: dict[str, object], words: str) -> None:
    assert sentence(rule_from(rule)) == title(rule_from(rule)) == words
    assert title(rule_from({**rule, "description": "As agreed"})) == "As agreed"


@pytest.mark.parametrize("name", EXAMPLES)
def test_every_rule_has_words_that_name_its_columns(name: str) -> None:
    assert rule_classes()[name].title_template
    for rule in EXAMPLES[name]:
        words = sentence(rule)
        assert "\n" not in words
        assert "expect_" not in words
        if not name.startswith(("python", "expect_rows_sql")):
            assert all(column in words for column in rule.columns_judged[:5])
