"""Links in the place of landed files: followed within landing, and not out of it."""

from __future__ import annotations

import os
from pathlib import Path

import polars as pl
import pytest

from dq_pipelines.errors import SourceError
from dq_pipelines.sources.csv import Csv
from dq_pipelines.sources.delta import DeltaSource


@pytest.fixture
def landing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for folder in ("landing/shop", "landing/yard", "secret", "mounted"):
        (tmp_path / folder).mkdir(parents=True)
        (tmp_path / folder / "own.csv").write_text(f"id\n{folder}\n")
    monkeypatch.setenv("DQ_LANDING", str(tmp_path / "landing"))
    return tmp_path / "landing"


def source(path: object, *places: object) -> Csv:
    return Csv(type="csv", path=str(path)).confined_to([str(place) for place in places])


def read(asked: Csv) -> list[str]:
    return sorted(asked.read(asked.inputs()).rows.collect()["id"].to_list())


@pytest.mark.parametrize("pattern", ["shop/*.csv", "shop/*", "shop", "**", "shop/stolen.csv", "s*/stolen.csv"])
def test_a_link_out_of_landing_is_not_read_and_named(landing: Path, pattern: str) -> None:
    (landing / "shop/stolen.csv").symlink_to(landing.parent / "secret/own.csv")
    listed = source(landing / pattern).listed()
    assert [one.uri for one in listed.inputs if "stolen" in one.uri] == []
    (named,) = [one for one in listed.passed_over if one.uri.endswith("shop/stolen.csv")]
    assert (
        named.why
        == f"a link leads to {landing.parent}/secret/own.csv, which is outside of {named.why.rpartition(' of ')[2]}"
    )
    assert str(landing) in named.why.rpartition(" of ")[2]


@pytest.mark.parametrize("pattern", ["shop/**", "shop/**/*.csv", "shop", "shop/stolen/*.csv", "shop/st*/own.csv"])
def test_of_a_linked_folder_outside_not_even_the_names_are_told(landing: Path, pattern: str) -> None:
    (landing / "shop/stolen").symlink_to(landing.parent / "secret")
    # Who names the folder itself on the disk of the server means it; whoever is confined may not.
    listed = source(landing / pattern, landing).listed()
    assert all("stolen" not in one.uri for one in listed.inputs)
    told = [one for one in listed.passed_over if "stolen" in one.uri]
    assert told
    assert pattern == "shop/stolen/*.csv" or all("own.csv" not in one.uri for one in told)


def test_links_within_landing_and_a_mounted_landing_are_followed(landing: Path) -> None:
    (landing / "shop/current.csv").symlink_to(landing / "yard/own.csv")
    assert read(source(landing / "shop/*.csv")) == ["landing/shop", "landing/yard"]
    (landing / "elsewhere").symlink_to(landing.parent / "mounted")
    assert read(source(landing / "elsewhere/*.csv")) == ["mounted"]  # the path of the YAML names the link
    (landing.parent / "data.csv").symlink_to(landing.parent / "mounted/own.csv")
    assert read(source(landing.parent / "data.csv")) == ["mounted"]


def test_an_author_of_one_domain_reads_no_other_by_a_link(landing: Path) -> None:
    (landing / "shop/current.csv").symlink_to(landing / "yard/own.csv")
    asked = source(landing / "shop/*.csv", landing / "shop")
    assert read(asked) == ["landing/shop"]
    assert "yard/own.csv, which is outside of" in asked.listed().passed_over[0].why


def test_a_file_that_becomes_a_link_after_it_was_listed_is_not_read(landing: Path) -> None:
    own, stolen = landing / "shop/own.csv", landing.parent / "secret/own.csv"
    stolen.write_text("id\n" + "x" * (own.stat().st_size - 4) + "\n")
    asked = source(landing / "shop/*.csv")
    inputs = asked.inputs()
    own.unlink()
    own.symlink_to(stolen)
    os.utime(stolen, ns=(inputs[0].version.number, inputs[0].version.number))
    with pytest.raises(SourceError, match="a link leads to"):
        asked.read(inputs)


def test_a_delta_table_reads_no_file_of_others(landing: Path) -> None:
    for name in ("landing/shop/table", "secret/table"):
        pl.DataFrame({"id": [name]}).write_delta(landing.parent / name)
    asked = DeltaSource(type="delta", path=str(landing / "shop/table")).confined_to([str(landing / "shop")])
    assert asked.read(asked.inputs()).rows.collect()["id"].to_list() == ["landing/shop/table"]
    (own,) = (landing / "shop/table").glob("*.parquet")
    (stolen,) = (landing.parent / "secret/table").glob("*.parquet")
    own.unlink()
    own.symlink_to(stolen)
    with pytest.raises(SourceError, match="wanted a file of the Delta table below its folder"):
        asked.read(asked.inputs())
    linked = landing / "shop/linked"
    linked.symlink_to(landing.parent / "secret/table")
    with pytest.raises(SourceError, match="wanted a table below"):
        DeltaSource(type="delta", path=str(linked)).confined_to([str(landing / "shop")]).inputs()
