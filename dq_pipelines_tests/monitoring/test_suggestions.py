"""Rules that data speak for: what was planted is found, what is broken is told, and nothing silly is said of chance."""

from __future__ import annotations

from collections.abc import Sequence
from random import Random
from typing import Any

import polars as pl
import pytest

import dq_pipelines as dq
from dq_pipelines.engine.results.result_format import ROW
from dq_pipelines.monitoring.profile import profile, scan
from dq_pipelines.monitoring.suggestions import Findings, Parent, suggestions
from dq_pipelines.monitoring.suggestions.base import mostly, percent, rounded_out


def chance_of(seed: int) -> Random:
    return Random(seed)  # noqa: S311 - the same each time


CITIES = {
    "97701": "Bend", "46402": "Gary", "10001": "New York", "60601": "Chicago", "94105": "San Francisco",
    "02108": "Boston", "73301": "Austin", "80014": "Denver", "85001": "Phoenix", "33101": "Miami",
}  # fmt: skip


def rules(data: Any, *types: str) -> list[dict[str, Any]]:
    """The suggested rules of these types, by the ends of their names."""
    return [rule for rule in dq.suggest(data) if not types or str(rule["type"]).endswith(types)]


def about(found: Sequence[dict[str, Any]], column: str) -> dict[str, Any] | None:
    return next((rule for rule in found if rule.get("column") == column), None)


def shop(rows: int = 1_000, seed: int = 5) -> pl.DataFrame:
    """Orders as they should be."""
    chance = chance_of(seed)
    zips = [chance.choice(list(CITIES)) for _ in range(rows)]
    return pl.DataFrame(
        {
            "order_id": [5_000 + n for n in chance.sample(range(10 * rows), rows)],
            "zip": zips,
            "city": [CITIES[code] for code in zips],
            "paid_by": [chance.choice(["card", "cash", "voucher"]) for _ in range(rows)],
            "stars": [chance.randint(1, 5) for _ in range(rows)],
            "amount": [round(chance.lognormvariate(3, 1), 2) for _ in range(rows)],
            "sku": [f"{chance.choice('ABC')}{chance.choice('XYZ')}-{chance.randint(1000, 9999)}" for _ in range(rows)],
            "note": [chance.choice([None, "gift", "call first", "at the back door"]) for _ in range(rows)],
        }
    )


def test_what_is_so_is_suggested_and_holds() -> None:
    frame = shop()
    found = rules(frame)
    assert dq.validate(frame, found).success
    kinds = {(str(rule["type"]).removeprefix("expect_column_"), rule.get("column")) for rule in found}
    assert {
        ("values_to_be_unique", "order_id"),
        ("values_to_not_be_null", "zip"),
        ("values_to_be_in_set", "paid_by"),
        ("values_to_match_regex", "sku"),
        ("values_to_be_determined_by", "city"),
        ("proportion_of_non_null_values_to_be_between", "note"),
    } <= kinds
    assert ("values_to_be_unique", "amount") not in kinds
    stars, amount = (about(rules(frame, "values_to_be_between"), name) for name in ("stars", "amount"))
    assert stars is not None
    assert amount is not None
    assert (stars["min_value"], stars["max_value"]) == (1, 5)
    assert amount["min_value"] == 0
    assert amount["max_value"] > frame["amount"].max()
    sku = about(found, "sku")
    assert about(rules(frame, "match_regex"), "sku")["regex"] == "^[A-Z]{2}-[0-9]{4}$", sku  # type: ignore[index]


def test_each_suggestion_says_why_and_how_sure_and_a_doubtful_one_only_warns() -> None:
    for rule in rules(shop()):
        assert rule["description"]
        assert 0 < rule["meta"]["confidence"] <= 1
        only_warns = rule["meta"]["confidence"] < 0.895 or "mostly" in rule
        assert (rule.get("severity") == "warning") == only_warns, rule


def test_the_cell_that_breaks_a_dependency_is_flagged_and_not_its_group() -> None:
    frame = shop()
    wrong = {17: "Bosten", 400: "Gary", 733: "Denver"}
    broken = frame.with_columns(
        pl.Series("city", [wrong.get(n, city) for n, city in enumerate(frame["city"])], dtype=pl.String)
    )
    wrong = {n: city for n, city in wrong.items() if city != frame["city"][n]}
    rule = about(rules(broken, "determined_by"), "city")
    assert rule is not None
    assert rule["by"] == ["zip"]
    (result,) = dq.validate(broken, [rule], result_format="COMPLETE").results
    assert {row[ROW] for row in result.unexpected_rows} == set(wrong)
    assert result.success, "it holds the line"
    assert not dq.validate(broken.with_columns(city=pl.col("city").reverse()), [rule]).success


def test_what_is_nearly_determined_by_nature_is_no_dependency() -> None:
    chance = chance_of(3)
    towns = [chance.choice("abcdefgh") for _ in range(2_000)]
    streets = [f"{town}{chance.choices([1, 2, 3], [8, 1, 1])[0]}" for town in towns]
    frame = pl.DataFrame({"town": towns, "street": streets, "chance": [chance.choice("xy") for _ in towns]})
    found = {(rule["column"], *rule["by"]) for rule in rules(frame, "determined_by")}
    assert found == {("town", "street")}


def test_exceptions_that_gather_in_some_groups_are_no_errors() -> None:
    chance = chance_of(9)
    towns = [f"town {chance.randrange(60)}" for _ in range(3_000)]
    # One town in ten has several codes, each as common as the others; errors would be met in every town.
    codes = [f"{town} code {chance.randrange(4) if town.endswith('7') else 0}" for town in towns]
    assert not [
        rule
        for rule in rules(pl.DataFrame({"town": towns, "code": codes}), "determined_by")
        if rule["column"] == "code"
    ]
    wrong = [f"slip {n}" if chance.random() < 0.07 else f"{town} code" for n, town in enumerate(towns)]
    found = about(rules(pl.DataFrame({"town": towns, "code": wrong}), "determined_by"), "code")
    assert found is not None


def test_a_second_column_is_taken_on_that_explains_the_exceptions() -> None:
    chance = chance_of(8)
    shops = chance.choices(["north", "south"], [95, 5], k=3_000)
    goods = [chance.choice([f"good {n}" for n in "abcdefghijkl"]) for _ in shops]
    frame = pl.DataFrame(
        {"shop": shops, "good": goods, "shelf": [f"{s[0]}/{g[-1]}" for s, g in zip(shops, goods, strict=True)]}
    )
    rule = about(rules(frame, "determined_by"), "shelf")
    assert rule is not None
    assert set(rule["by"]) == {"good", "shop"}


def test_misspelt_values_are_found_where_values_are_not_alike_by_nature() -> None:
    frame = shop(2_000)
    slips = {5: "Chcago", 6: "Chicagoo", 900: "Bostton", 901: "Phonix", 1500: "Denvr"}
    wrong = frame.with_columns(city=pl.Series([slips.get(n, city) for n, city in enumerate(frame["city"])])).drop("zip")
    found = dq.validate(wrong, rules(wrong), result_format="COMPLETE").results
    flagged = {
        row[ROW] for result in found for row in result.unexpected_rows if result.rule.columns_judged == ("city",)
    }
    assert flagged == set(slips)
    chance = chance_of(4)
    kinds = ["".join(chance.choices("abcdefghijklmnopqrstuvwxyz", k=8)) for _ in range(500)]
    rows = [("al", f"al_{kind}") for kind in kinds[:100] * 40] + [("ak", f"ak_{kind}") for kind in kinds]
    measures = pl.DataFrame(rows, schema=["state", "measure"], orient="row").sample(fraction=1, shuffle=True, seed=1)
    assert not rules(measures, "not_be_in_set"), "ak is a word that the table knows"
    assert len(rules(measures.drop("state"), "not_be_in_set")) == 1
    planes = pl.DataFrame(
        {"plane": ["N338AA", "N713TW"] * 200 + ["N338AT", "N713SW", *(f"N{n}XY" for n in range(100, 400))]}
    )
    assert not rules(planes, "not_be_in_set"), "codes are no words"
    sizes = pl.DataFrame(
        {"size": [f"{kind}-{n % 40}" for n, kind in enumerate(["tall", "tale", "talk", "tally"] * 250)]}
    )
    assert not rules(sizes, "not_be_in_set")


def test_a_set_that_is_not_closed_is_none() -> None:
    chance = chance_of(1)
    names = [f"name {int(chance.paretovariate(1))}" for _ in range(2_000)]
    assert not rules(pl.DataFrame({"name": names}), "be_in_set")
    by_day = pl.DataFrame({"day": [f"day {n // 100}" for n in range(1_000)]})
    assert not rules(by_day, "be_in_set"), "tomorrow is another day"


def test_numbers_with_units_in_several_spellings_want_to_be_numbers() -> None:
    mixed = pl.DataFrame({"size": [f"{n % 30}.0 {unit}" for n, unit in enumerate(["oz", "oz.", "OZ", "ounce"] * 100)]})
    (rule,) = rules(mixed, "match_regex")
    assert "4 different endings" in rule["description"]
    assert not dq.validate(mixed, [rule]).success
    assert dq.validate(pl.DataFrame({"size": ["12.0", "7"]}), [rule]).success
    alike = pl.DataFrame({"size": [f"{n % 30} min" for n in range(400)]})
    (rule,) = rules(alike, "match_regex")
    assert rule["regex"] == "^[0-9]+ min$"


def test_a_number_and_a_street_are_no_number_with_a_unit() -> None:
    streets = pl.DataFrame({"street": [f"{n} {name}" for n, name in enumerate(["Oak Ave", "Elm St", "Hill Rd"] * 100)]})
    (rule,) = rules(streets, "match_regex")
    assert dq.validate(streets, [rule]).success


def test_addresses_of_mail_and_of_pages_are_known() -> None:
    mails = [f"{'abcdefgh'[n % 8]}.{'klmn'[n % 4]}{n % 50}@{'ab'[n % 2]}.example" for n in range(400)]
    pages = [f"https://shop.example/{'ab'[n % 2] * (n % 9)}/{n}" for n in range(400)]
    mails[7], mails[8], pages[9] = "555-867-5309", "user@", "info@shop.example"
    frame = pl.DataFrame({"mail": mails, "page": pages})
    found = dq.validate(frame, rules(frame, "to_match_regex"), result_format="COMPLETE").results
    flagged = {(result.rule.columns_judged[0], row[ROW]) for result in found for row in result.unexpected_rows}
    assert flagged == {("mail", 7), ("mail", 8), ("page", 9)}


def test_text_that_was_damaged_on_its_way_is_found() -> None:
    pages = [f"{n}-{n + 7}" for n in range(300)]
    pages[3], pages[4] = "11-Jan", "Mar-72"
    names = [f"n{chr(97 + n % 26)}{chr(97 + n // 26)}el" for n in range(300)]
    names[5], names[6], names[7] = "No\u00c3\u00abl", "No\ufffdl", "Noel*"
    frame = pl.DataFrame({"pages": pages, "name": names})
    found = dq.validate(frame, rules(frame, "not_match_regex"), result_format="COMPLETE").results
    flagged = {(result.rule.columns_judged[0], row[ROW]) for result in found for row in result.unexpected_rows}
    assert flagged == {("pages", 3), ("pages", 4), ("name", 5), ("name", 6), ("name", 7)}
    assert not rules(pl.DataFrame({"due": ["11-Jan", "2-Feb"] * 100}), "not_match_regex")


def test_minus_one_among_numbers_says_that_there_is_none() -> None:
    chance = chance_of(6)
    ages = [-1 if n in (5, 50) else chance.randint(1, 90) for n in range(400)]
    for frame in (pl.DataFrame({"age": ages}), pl.DataFrame({"age": [str(age) for age in ages]})):
        found = dq.validate(frame, rules(frame), result_format="COMPLETE").results
        assert {row[ROW] for result in found for row in result.unexpected_rows} == {5, 50}
    balance = pl.DataFrame({"balance": [chance.randint(-50, 50) for _ in range(400)]})
    assert about(rules(balance, "to_be_between"), "balance")["min_value"] < -50  # type: ignore[index]


def test_a_date_in_another_form_than_most_is_flagged() -> None:
    days = [f"{n % 12 + 1}/{n % 28 + 1}/{2000 + n % 20}" for n in range(300)]
    days[7], days[8], days[9], days[10] = "2011-01-01", "2012-03-01", "2013-05-01", "2014-01-07"
    frame = pl.DataFrame({"day": days})
    found = dq.validate(frame, rules(frame), result_format="COMPLETE").results
    assert {row[ROW] for result in found for row in result.unexpected_rows} == {7, 8, 9, 10}


def test_outliers_far_outside_do_not_stretch_the_bounds_and_tails_do() -> None:
    chance = chance_of(2)
    heights = [round(chance.gauss(170, 10), 1) for _ in range(2_000)]
    heights[7], heights[8] = 17_000.0, 16_500.0
    (rule,) = rules(pl.DataFrame({"height": heights}), "to_be_between")
    assert rule["max_value"] < 300
    (result,) = dq.validate(pl.DataFrame({"height": heights}), [rule], result_format="COMPLETE").results
    assert {row[ROW] for row in result.unexpected_rows} == {7, 8}
    winds = [round(chance.gammavariate(3, 4), 2) for _ in range(20_000)]
    winds[100] = 1_048.4
    (rule,) = rules(pl.DataFrame({"wind": winds}), "to_be_between")
    assert max(wind for wind in winds if wind != winds[100]) < rule["max_value"] < 200
    rains = pl.DataFrame({"rain": [chance.expovariate(4) if chance.random() < 0.05 else 0.0 for _ in range(5_000)]})
    assert dq.validate(rains, rules(rains, "to_be_between")).results[0].unexpected_count == 0
    texts = pl.DataFrame({"the height": [str(height) for height in heights]})
    (rule,) = rules(texts, "rows_sql")
    (result,) = dq.validate(texts, [rule], result_format="COMPLETE").results
    assert {row[ROW] for row in result.unexpected_rows} == {7, 8}
    incomes = pl.DataFrame({"income": [chance.lognormvariate(8, 1.5) for _ in range(2_000)]})
    (rule,) = rules(incomes, "to_be_between")
    assert dq.validate(incomes, [rule]).results[0].unexpected_count == 0


def test_a_composite_key_is_found_where_no_column_is_one() -> None:
    frame = pl.DataFrame(
        {"store": [n % 7 for n in range(210)], "day": [n // 7 for n in range(210)], "x": ["a", "b"] * 105}
    )
    (rule,) = rules(frame, "compound_columns_to_be_unique")
    assert rule["column_list"] == ["store", "day"]


def test_a_foreign_key_is_a_key_that_is_found() -> None:
    frame = shop()
    parents = (
        Parent("silver/places", "zip", pl.Series(list(CITIES))),
        Parent("silver/ids", "id", pl.Series(range(1_000_000))),
    )
    found = suggestions(frame.lazy(), Findings(profile(frame.lazy()), parents))
    keys = [dict(each.rule) for each in found if str(each.rule["type"]).endswith("exist_in")]
    assert keys == [
        {"type": "expect_column_values_to_exist_in", "column": "zip", "table": "silver/places", "key": "zip"}
    ]  # and no number is a key because it is a number


def test_what_was_learned_from_some_rows_is_held_against_all(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scan, "SAMPLE", 2_000)
    frame = shop(20_000).with_row_index("row")
    looked_at = set(profile(frame.lazy()).sample["row"])
    unseen = next(row for row in range(20_000) if row not in looked_at)
    bad = pl.when(pl.col("row") == unseen).then(pl.lit("barter")).otherwise("paid_by")
    frame = frame.with_columns(paid_by=bad)
    found = rules(frame)
    assert "barter" not in str(found)
    (result,) = dq.validate(frame, [about(rules(frame, "be_in_set"), "paid_by")]).results
    assert (result.unexpected_count, result.success) == (1, True), "it is known how many break it"
    verdict = dq.validate(frame, found)
    assert verdict.success, [(each.rule.type, each.rule.column_label) for each in verdict.results if not each.success]


def test_too_few_rows_and_odd_ones_say_little_and_break_nothing() -> None:
    assert rules(pl.DataFrame(schema={"x": pl.Int64})) == []
    for frame in (
        pl.DataFrame({"x": [1]}),
        pl.DataFrame({"x": [None, None]}),
        pl.DataFrame({"x": [[1], [2]] * 30, "s": [{"a": 1}] * 60}),
        pl.DataFrame({"x": [float("nan"), float("inf"), -float("inf")] * 50}),
        pl.DataFrame({"": ["a"] * 60, "a b": ['"', "'"] * 30, "ü": ["\n", "\\"] * 30}),
        pl.DataFrame({"x": [b"a", b"b"] * 40, "t": pl.Series(["a", "b"] * 40, dtype=pl.Categorical)}),
    ):
        verdict = dq.validate(frame, rules(frame))
        assert all(result.error is None for result in verdict.results), [result.error for result in verdict.results]


def test_columns_may_be_called_anything() -> None:
    names = {
        "zip": "value",
        "city": "n",
        "paid_by": "*",
        "order_id": "^.*$",
        "stars": "key 0",
        "sku": "rows",
        "note": "count",
    }
    frame = shop()
    plain, odd = rules(frame), rules(frame.rename(names))
    assert sorted(str(rule["type"]) for rule in odd) == sorted(str(rule["type"]) for rule in plain)
    assert dq.validate(frame.rename(names), odd).success
    assert about(rules(frame.rename(names), "determined_by"), "n") is not None


def test_what_a_rule_puts_up_with_is_a_little_more_than_there_is() -> None:
    assert 0.97 < mostly(10, 1_000) < 0.99
    assert mostly(0, 10_000) == 0.999
    assert (percent(1, 3), percent(1, 100_000), percent(9_999, 10_000), percent(0, 9)) == (
        "33.3 %",
        "0.001 %",
        "99.99 %",
        "0 %",
    )
    assert (rounded_out(123, up=True), rounded_out(123, up=False), rounded_out(-0.0123, up=False)) == (130, 120, -0.013)
