"""The law of casts: a value is published as it is, or refused; of every pair of types, against Python's own arithmetic."""

from __future__ import annotations

import math
from collections.abc import Sequence
from datetime import UTC, date, datetime, time
from decimal import Context, Decimal
from typing import Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dq_pipelines.transforms.cast_entry import REFUSED, Example
from dq_pipelines.transforms.cast_rules import LANDED, WANTED, cast_entry, examples, is_never_published
from dq_pipelines.transforms.casting import typed
from dq_pipelines.transforms.options import EXACT, CastOptions
from dq_pipelines.transforms.types import dtype_of
from dq_pipelines_tests.transforms.cast_oracle import expected, said

TYPES = (
    *("string", "boolean", "int8", "int16", "int32", "int64", "float32", "float64", "date", "datetime", "timestamp", "binary"),
    *("decimal(5,2)", "decimal(18,6)", "decimal(38,0)", "decimal(38,30)"),
)  # fmt: skip


def cast(values: Sequence[Any], landed: pl.DataType, wanted: str, options: CastOptions = EXACT) -> list[Any]:
    rows = pl.LazyFrame({"x": pl.Series(values, dtype=landed)})
    found = rows.select(typed(pl.col("x"), landed, dtype_of(wanted), options)).collect(engine="streaming")
    assert found.schema == {"x": dtype_of(wanted)} or found.schema.dtypes() == [dtype_of(wanted)]
    return found.to_series().to_list()


# --- the table of the docs -------------------------------------------------------------------------


@pytest.mark.parametrize(("kind", "example"), list(examples()))
def test_an_example_of_the_page_is_so(kind: str, example: Example) -> None:
    (found,) = cast([example.landed], example.dtype or LANDED[kind][0], example.wanted, example.options)
    assert found == (None if example.published is REFUSED else example.published)


def test_every_pair_that_publishes_anything_has_an_example() -> None:
    said_of = {(kind, example.wanted.partition("(")[0].replace("int8", "integer")) for kind, example in examples()}
    said_of |= {(kind, "integer") for kind, example in examples() if example.wanted.startswith("int")}
    told = {(landed, wanted) for landed in LANDED for wanted in WANTED if not is_never_published(landed, wanted)}
    assert {(landed, wanted.partition("(")[0]) for landed, wanted in told} <= said_of
    assert all(cast_entry(landed, wanted).publishes for landed in LANDED for wanted in WANTED)


# --- the law ---------------------------------------------------------------------------------------

_DATES = st.dates(date(1, 1, 1), date(9999, 12, 31)) | st.just(date(2024, 1, 2))
_NAIVE = st.datetimes() | _DATES.map(lambda day: datetime.combine(day, time()))
_ZONED = _NAIVE.map(lambda moment: moment.replace(tzinfo=UTC))
_FLOATS = st.floats() | st.integers(-(10**6), 10**6).map(lambda n: n / 100) | st.integers(-(2**70), 2**70).map(float)
_EDGES = [0, 1, 2, 127, 128, 2**24, 2**24 + 1, 2**31, 2**53, 2**53 + 1, 2**63 - 1, -(2**63)]
_SINGLES = st.floats(width=32) | st.integers(-(2**30), 2**30).map(lambda n: float(n // 64))


def _decimals(precision: int, scale: int) -> st.SearchStrategy[Decimal]:
    most = 10**precision - 1
    units = st.integers(-most, most) | st.integers(-1000, 1000) | st.integers(-100, 100).map(lambda n: n * 10**scale)
    return units.filter(lambda n: abs(n) <= most).map(lambda n: Decimal(n).scaleb(-scale, Context(prec=60)))


_DIGITS = st.integers(0, 25).flatmap(lambda n: st.text("0123456789", min_size=n, max_size=n))
_NUMBERS = st.one_of(
    st.builds(
        "{}{}{}{}{}".format,
        st.sampled_from(["", "+", "-"]),
        st.text("0123456789", min_size=1, max_size=22),
        st.sampled_from(["", "."]),
        _DIGITS,
        st.sampled_from(["", "", "", "e3", "E-2", "e+1", "e400", "e-400", "e38", "e-46"]),
    ),
    st.integers(-(2**65), 2**65).map(str),
    st.decimals(-1000, 1000, places=2).map(str),
    st.sampled_from(["inf", "-Inf", "NaN", "nan", "1,000", "1 000", "1_000", "0x10", "--1", "1e", ".", "", "\u0661", "1.", ".5", "yes", "No", "true"]),
    st.text(max_size=5),
)  # fmt: skip


@st.composite
def _moments(draw: st.DrawFn) -> str:
    """ISO 8601 in all its forms, with parts that no calendar has among them."""
    year = draw(st.sampled_from(["2024", "1999", "0001", "0024", "0999", "9999", "0000", "24", "10000"]))
    month, day = (
        draw(st.sampled_from(["01", "02", "12", "13", "00"])),
        draw(st.sampled_from(["01", "02", "29", "31", "00"])),
    )
    hour, minute = draw(st.sampled_from(["00", "10", "23", "24"])), draw(st.sampled_from(["00", "30", "59", "60"]))
    second = draw(st.sampled_from(["00", "05", "59", "60"]))
    decimals = draw(st.sampled_from(["", ".5", ",25", ".123456", ".1234567", ".1234560"]))
    shape, zone = draw(st.integers(0, 3)), draw(st.integers(0, 4))
    separator = draw(st.sampled_from("Tt "))
    extended = draw(st.booleans())
    if shape == 0:
        return f"{year}-{month}-{day}" if extended else f"{year}{month}{day}"
    if extended:
        clock = f"{hour}:{minute}" + (f":{second}" if shape > 1 else "") + (decimals if shape > 2 else "")
        return f"{year}-{month}-{day}{separator}{clock}" + ["", "Z", "z", "+02", "-05:30"][zone]
    clock = f"{hour}{minute}" + (second if shape > 1 else "") + (decimals if shape > 2 else "")
    return f"{year}{month}{day}T{clock}" + ["", "Z", "z", "+02", "-0530"][zone]


VALUES: dict[str, tuple[pl.DataType, st.SearchStrategy[Any]]] = {
    "numbers as text": (pl.String(), _NUMBERS),
    "moments as text": (pl.String(), _moments()),
    "boolean": (pl.Boolean(), st.booleans()),
    "int8": (pl.Int8(), st.integers(-128, 127)),
    "int64": (pl.Int64(), st.integers(-(2**63), 2**63 - 1) | st.sampled_from(_EDGES)),
    "decimal(10,4)": (pl.Decimal(10, 4), _decimals(10, 4)),
    "decimal(38,0)": (pl.Decimal(38, 0), _decimals(38, 0)),
    "decimal(38,18)": (pl.Decimal(38, 18), _decimals(38, 18)),
    "float64": (pl.Float64(), _FLOATS),
    "float32": (pl.Float32(), _SINGLES),
    "date": (pl.Date(), _DATES),
    "datetime": (pl.Datetime("us"), _NAIVE),
    "timestamp": (pl.Datetime("us", "UTC"), _ZONED),
    "datetime in ms": (pl.Datetime("ms"), _NAIVE.map(lambda at: at.replace(microsecond=at.microsecond // 1000 * 1000))),
    "time": (pl.Time(), st.times()),
    "duration": (pl.Duration("us"), st.timedeltas().filter(lambda span: abs(span.days) < 10**8)),
    "binary": (pl.Binary(), st.binary(max_size=4) | st.text(max_size=4).map(str.encode)),
    "list": (pl.List(pl.String()), st.lists(st.text(max_size=3) | st.none(), max_size=3)),
    "struct": (pl.Struct({"a": pl.Int64(), "b": pl.Boolean()}), st.builds(lambda a, b: {"a": a, "b": b}, st.integers(0, 9), st.booleans())),
}  # fmt: skip
#: Examples for each kind of landed values, each of some values in one type: 10,000 in all where the profile looks further.
SOME = 40 if settings().max_examples <= 100 else 10_000 // len(VALUES) + 1


@pytest.mark.parametrize("kind", VALUES)
@settings(max_examples=SOME)
@given(data=st.data())
def test_a_cast_publishes_what_landed_or_nothing(kind: str, data: st.DataObject) -> None:
    landed, strategy = VALUES[kind]
    wanted = data.draw(st.sampled_from(TYPES))
    values = data.draw(st.lists(strategy | st.none(), max_size=12))
    found = cast(values, landed, wanted)
    if wanted == "string" and (landed.is_float() or isinstance(landed, pl.Duration)):
        found = [None if text is None else said(text, landed) for text in found]
    right = [None if value is None else expected(value, landed, wanted) for value in values]
    assert [_told(value) for value in found] == [_told(value) for value in right]


def _told(value: Any) -> Any:
    return "NaN" if isinstance(value, float) and math.isnan(value) else value


@pytest.mark.parametrize(
    ("pattern", "wanted", "read", "refused"),
    [
        ("%d/%m/%y", "date", ["5/2/05", "05/02/05", " 5/2/05"], ["1/2/5", "05/02/5", "1/2/005"]),
        ("%y-%m-%d", "date", ["05-1-2"], ["5-1-2"]),
        ("%D", "date", ["01/02/05"], ["01/02/5"]),
        ("100%% %d.%m.%y", "date", ["100% 01.02.05"], ["100% 01.02.5"]),
        ("%Y%m%dT%H%M%S%z", "datetime", ["20240102T235959+0000", "20240102T160000+0100"], ["20240102T235960+0000"]),
        ("%Y-%m-%d %H.%M.%S %z", "datetime", ["2024-01-02 23.59.06 +0030"], ["2024-01-02 23.59.60 +0000"]),
        ("%H%M%S%z %Y-%m-%d", "datetime", ["160000+0000 2024-01-02"], ["235960+0000 2024-01-02"]),
        ("%Y-%m-%d %T%z", "datetime", ["2024-01-02 10:00:59+0000"], ["2024-01-02 10:00:60+0000"]),
    ],
)
def test_a_year_of_one_digit_and_a_60th_second_are_refused(
    pattern: str, wanted: str, read: list[str], refused: list[str]
) -> None:
    texts = pl.DataFrame({"text": [*read, *refused]})
    options = CastOptions(format=pattern)
    found = texts.select(typed(pl.col("text"), pl.String(), dtype_of(wanted), options)).to_series().is_null().to_list()
    assert found == [False] * len(read) + [True] * len(refused)
