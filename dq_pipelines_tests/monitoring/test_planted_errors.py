"""Errors that are planted in rows that are as they should be: a family flags the planted rows, and without them it is silent."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import date, timedelta
from random import Random
from typing import Any

import polars as pl
import pytest

import dq_pipelines as dq
from dq_pipelines.engine.results.result_format import ROW

ROWS = 3_000
DAY = date(2024, 1, 1)


def chance_of(seed: int) -> Random:
    return Random(seed)  # noqa: S311 - the same each time


def flagged(frame: pl.DataFrame, column: str) -> set[int]:
    """The rows that the suggested rules flag in a column: of a rule about several, in the one that it suspects."""
    results = dq.validate(frame, dq.suggest(frame), result_format="COMPLETE").results
    return {
        row[ROW]
        for result in results
        if column in ((result.rule.meta or {}).get("suspect"), result.rule.column_label)
        for row in result.unexpected_rows
    }


def with_rows(values: Iterable[Any], planted: dict[int, Any]) -> list[Any]:
    return [planted.get(row, value) for row, value in enumerate(values)]


def luhn(number: int) -> str:
    """The number with the digit that makes Luhn's sum a multiple of 10."""
    digits = [int(digit) for digit in str(number)][::-1]
    total = sum(sum(divmod(2 * digit, 10)) if place % 2 == 0 else digit for place, digit in enumerate(digits))
    return f"{number}{-total % 10}"


def shipped(planted: dict[int, int]) -> pl.DataFrame:
    chance = chance_of(1)
    ordered = [DAY + timedelta(days=chance.randrange(700)) for _ in range(ROWS)]
    later = with_rows((chance.randint(0, 14) for _ in range(ROWS)), planted)
    return pl.DataFrame(
        {"ordered": ordered, "shipped": [day + timedelta(days=n) for day, n in zip(ordered, later, strict=True)]}
    )


def paid(planted: dict[int, float]) -> pl.DataFrame:
    chance = chance_of(2)
    limits = [chance.choice([1_000.0, 5_000.0, 20_000.0]) for _ in range(ROWS)]
    shares = with_rows((chance.random() for _ in range(ROWS)), planted)
    return pl.DataFrame(
        {"paid": [round(share * most, 2) for share, most in zip(shares, limits, strict=True)], "limit": limits}
    )


def column(make: Callable[[Random], Any], name: str) -> Callable[[dict[int, Any]], pl.DataFrame]:
    """A table of one column that chance makes, but for the planted rows."""

    def table(planted: dict[int, Any]) -> pl.DataFrame:
        chance = chance_of(3)
        values = with_rows((make(chance) for _ in range(ROWS)), planted)
        return pl.DataFrame({name: values})

    return table


def prefixed(planted: dict[int, str]) -> pl.DataFrame:
    chance = chance_of(4)
    kinds = [chance.choice(["north", "south", "east"]) for _ in range(ROWS)]
    starts = with_rows((kind[0].upper() for kind in kinds), planted)
    return pl.DataFrame({"region": kinds, "code": [f"{start}-{chance.randrange(10**6):06}" for start in starts]})


def office_days(planted: dict[int, int]) -> pl.DataFrame:
    chance = chance_of(5)
    kinds = [chance.choice(["office", "shop"]) for _ in range(ROWS)]
    days = []
    for row, kind in enumerate(kinds):
        day = DAY + timedelta(days=7 * chance.randrange(100) + planted.get(row, chance.randrange(5)))
        days.append(day if kind == "office" else day + timedelta(days=chance.randrange(7)))
    return pl.DataFrame({"kind": kinds, "day": days})


def first_rows_of(frame: pl.DataFrame, name: str, value: str, many: int) -> list[int]:
    return frame.with_row_index("row").filter(pl.col(name) == value)["row"].head(many).to_list()


OFFICES = first_rows_of(office_days({}), "kind", "office", 3)

#: The column that is doubted, the table, and what is planted in which rows.
PLANTED: dict[str, tuple[str, Callable[[dict[int, Any]], pl.DataFrame], dict[int, Any]]] = {
    "a date before the date that it follows": ("shipped", shipped, {7: -3, 70: -9, 700: -1}),
    "an amount above its limit": ("paid", paid, {7: 1.3, 70: 1.5, 700: 1.1}),
    "rare negatives": ("n", column(lambda chance: chance.randint(1, 20), "n"), {7: -4, 70: -1, 700: -9}),
    "rare negative amounts": ("x", column(lambda c: round(c.uniform(0, 900), 2), "x"), {7: -40.5, 70: -61.25, 700: -90.0}),
    "off the scale": ("stars", column(lambda chance: chance.randint(1, 5), "stars"), {7: 6, 70: 0}),
    "off the scale, as text": ("stars", column(lambda chance: str(chance.randint(1, 5)), "stars"), {7: "6", 70: "9"}),
    "no percentage": ("pct", column(lambda chance: round(chance.uniform(0, 50), 1), "pct"), {7: 101.5, 70: 140.0}),
    "outside the bell": ("x", column(lambda chance: round(chance.gauss(250, 50), 2), "x"), {7: 560.0, 70: -70.5}),
    "in the hollow": (
        "x",
        column(lambda chance: round(chance.gauss(chance.choice([20, 80]), 4), 2), "x"),
        {7: 50.0},
    ),
    "digits in names": (
        "name",
        column(lambda c: "".join(c.choices("abcdefghij", k=6)).title() + " " + c.choice(["Roe", "Poe"]), "name"),
        {7: "J0hn Roe", 70: "M4ry Poe"},
    ),
    "a stranger in a set": ("town", column(lambda c: c.choice(["Bend", "Gary", "Dover"]), "town"), {7: "99", 70: "XX"}),
    "a check digit": (
        "card",
        column(lambda chance: luhn(chance.randrange(10**9, 10**10)), "card"),
        {7: "79927398710", 70: "79927398711"},
    ),
    "a code of another kind": ("code", prefixed, {7: "Q", 70: "Z"}),
    "a weekend": ("day", office_days, dict.fromkeys(OFFICES, 5)),
}  # fmt: skip


@pytest.mark.parametrize("name", PLANTED)
def test_what_is_planted_is_flagged_and_nothing_else(name: str) -> None:
    doubted, table, planted = PLANTED[name]
    assert flagged(table(planted), doubted) == set(planted)
    assert flagged(table({}), doubted) == set(), "rows that are as they should be"


def test_keys_and_rows_that_come_twice_are_flagged() -> None:
    chance = chance_of(6)
    codes = [f"SKU-{''.join(chance.choices('ABCDEFGHJK0123456789', k=8))}" for _ in range(ROWS)]
    codes[70], codes[700] = codes[7], codes[8]
    assert flagged(pl.DataFrame({"sku": codes}), "sku") == {7, 8, 70, 700}
    by_chance = [f"T{chance.randrange(200_000):06}" for _ in range(ROWS)]
    assert len(set(by_chance)) < ROWS
    assert flagged(pl.DataFrame({"ticket": by_chance}), "ticket") == set(), "so many come twice by chance"
    rows = pl.DataFrame({"a": codes, "b": [n % 7 for n in range(ROWS)], "c": [chance.random() for _ in range(ROWS)]})
    twice = pl.concat([rows, rows.slice(3, 2)])
    assert flagged(twice, "a, b, c") == {3, 4, ROWS, ROWS + 1}


def test_numbers_that_lost_their_leading_zeros_are_flagged_where_the_name_says_code() -> None:
    chance = chance_of(7)
    numbers = [chance.randrange(100_000) for _ in range(ROWS)]
    short = {row for row, number in enumerate(numbers) if number < 10_000}
    assert flagged(pl.DataFrame({"billing_zip": numbers}), "billing_zip") == short
    assert flagged(pl.DataFrame({"postalCode": [str(n) for n in numbers]}), "postalCode") == short
    assert flagged(pl.DataFrame({"amount": numbers}), "amount") == set()


def test_one_number_in_several_ways_wants_one() -> None:
    chance = chance_of(8)
    ways = ("({0}) {1}-{2}", "{0}-{1}-{2}", "{0}{1}{2}")
    phones = [
        chance.choice(ways).format(*(chance.randint(low, high) for low, high in ((200, 999), (200, 999), (1000, 9999))))
        for _ in range(ROWS)
    ]
    (rule,) = [rule for rule in dq.suggest(pl.DataFrame({"phone": phones})) if "ways" in rule["description"]]
    assert "the same digits are written in 3 ways" in rule["description"]
    places = [f"{n % 90 + 10}.{n % 9}" if n % 2 else f"{n % 90 + 10}:{n % 900}" for n in range(ROWS)]
    assert not [rule for rule in dq.suggest(pl.DataFrame({"place": places})) if "ways" in rule["description"]]


def test_values_that_change_on_the_way_are_told() -> None:
    chance = chance_of(9)
    kinds = [chance.choice(["card", "cash"] if n < 2_500 else ["coin", "token"]) for n in range(ROWS)]
    assert flagged(pl.DataFrame({"paid": kinds}), "paid") == set(range(2_500, ROWS))
    in_order = pl.DataFrame({"paid": sorted(kinds)})
    assert flagged(in_order, "paid") == set(), "rows that are sorted by it have one value at a time"


def test_numbers_that_only_spread_across_zero_or_have_long_tails_are_not_flagged() -> None:
    chance = chance_of(10)
    frame = pl.DataFrame(
        {
            "celsius": [round(chance.gauss(30, 10), 1) for _ in range(ROWS)],
            "profit": [round(chance.gauss(5, 3), 2) for _ in range(ROWS)],
            "income": [round(chance.lognormvariate(8, 1.2), 2) for _ in range(ROWS)],
            "waits": [round(chance.expovariate(0.1), 3) for _ in range(ROWS)],
            "visits": [int(chance.paretovariate(1.5)) for _ in range(ROWS)],
        }
    )
    for name in frame.columns:
        assert flagged(frame.select(name), name) == set(), name


def test_times_that_lie_near_each_other_are_in_no_order() -> None:
    chance = chance_of(11)
    days = [DAY + timedelta(days=chance.randrange(700)) for _ in range(ROWS)]
    moved = [day + timedelta(days=round(chance.gauss(6, 2.2))) for day in days]
    frame = pl.DataFrame({"seen": days, "told": moved})
    assert sum(a > b for a, b in zip(days, moved, strict=True)) > 0
    assert flagged(frame, "told") == set()
