"""Short ways for folders of 100,000 files: each gives what the long way gives."""

from __future__ import annotations

import os
from datetime import datetime
from pathlib import Path

import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from polars.exceptions import ComputeError

from dq_pipelines.project.day_pattern import DayPattern
from dq_pipelines.sources import local_files
from dq_pipelines.sources.csv import Csv
from dq_pipelines.sources.line_scan import lines_in
from dq_pipelines.sources.order import natural

#: Whole characters, parts of some, and what is no UTF-8 at all.
BYTES = [
    b"a",
    b"\n",
    b"\r\n",
    b"\r",
    b",",
    b"\x00",
    b"\xc3\xa9",
    b"\xff",
    b"\xed\xa0\x80",
    b"\xc0\x80",
    b"\xe2\x82",
    b"\xef\xbb\xbf",
]


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(content=st.lists(st.sampled_from(BYTES), max_size=8).map(b"".join))
def test_lines_are_those_of_the_reader(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "small.txt"
    path.write_bytes(content)
    try:
        lines = pl.scan_lines(path, glob=False).select(pl.col("line").str.len_bytes()).collect(engine="streaming")
    except ComputeError:
        assert lines_in(path) is None
    else:
        assert lines_in(path) == lines.height


@given(
    year=st.integers(0, 9999),
    month=st.integers(0, 13),
    day=st.integers(0, 32),
    again=st.sampled_from([-1, 0]) | st.none(),
)
def test_a_day_in_numbers_is_the_day_of_strptime(year: int, month: int, day: int, again: int | None) -> None:
    text = f"{year:04}-{month:02}-{day:02}"
    try:
        wanted = datetime.strptime(text, "%Y-%m-%d").date()  # noqa: DTZ007
    except ValueError:
        wanted = None
    assert DayPattern.of("%Y-%m-%d").day_in(f"/landing/{text}.csv") == wanted
    if again is not None:  # a directive that occurs twice has to agree
        repeated = DayPattern.of("%Y/%Y-%m-%d").day_in(f"/landing/{year + again:04}/{text}.csv")
        assert repeated == (wanted if again == 0 else None)


@given(st.lists(st.text("ab0019/_", max_size=8), max_size=6))
def test_names_are_in_the_order_of_their_numbers(names: list[str]) -> None:
    def spelled(name: str) -> list[tuple[int, int, str]]:
        """Each part with whether it is a number, so that any two parts compare."""
        key = natural(name)
        return [(-1, 0, part) if isinstance(part, str) else (*part, "") for part in key]

    assert sorted(names, key=natural) == sorted(names, key=spelled)


def test_files_that_nobody_asks_for_are_not_looked_at(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for day in range(10, 20):
        folder = tmp_path / f"2024-01-{day}"
        folder.mkdir()
        (folder / "a.csv").write_text("id\n1\n")
        (folder / "link.csv").symlink_to(folder / "a.csv")
    source = Csv(type="csv", path=f"{tmp_path}/*/*.csv")
    every, seen = source.inputs(), list[str]()
    state = local_files._state

    def noted(path: str, *how: object) -> os.stat_result | None:
        seen.append(path)
        return state(path, *how)  # type: ignore[arg-type]

    monkeypatch.setattr(local_files, "_state", noted)
    found = source.inputs_where(lambda uri: "2024-01-13" in uri)
    assert set(found) == {item for item in every if "2024-01-13" in item.uri}
    assert len(found) == 2
    assert all("2024-01-13" in path for path in seen)


def test_a_file_in_a_folder_that_a_link_leads_to_is_passed_over(tmp_path: Path) -> None:
    landing, elsewhere = tmp_path / "landing", tmp_path / "elsewhere"
    (landing / "own").mkdir(parents=True)
    elsewhere.mkdir()
    for folder in (landing / "own", elsewhere):
        (folder / "a.csv").write_text("id\n1\n")
    (landing / "away").symlink_to(elsewhere)
    (landing / "own" / "round").symlink_to(landing)
    (landing / "own" / "b.csv").symlink_to(elsewhere / "a.csv")
    listed = Csv(type="csv", path=f"{landing}/**/*.csv").listed()
    assert [item.uri for item in listed.inputs] == [f"{landing}/own/a.csv"]
    assert {one.uri for one in listed.passed_over} == {f"{landing}/away", f"{landing}/own/b.csv"}
