"""Names of inputs and moments as pages show them."""

from __future__ import annotations

from pathlib import Path

import pytest

from dq_pipelines.web.dashboard.input_names import input_name
from dq_pipelines.web.dashboard.templating import environment


@pytest.mark.parametrize(
    ("source", "landing", "shown"),
    [
        ("/srv/landing/shop/a.csv", "/srv/landing", "shop/a.csv"),
        ("/srv/landing/shop/a.csv", "/srv/landing/", "shop/a.csv"),
        ("/srv/landings/a.csv", "/srv/landing", "a.csv"),
        ("/elsewhere/deep/a.csv", "/srv/landing", "a.csv"),
        ("landing/shop/a.csv", "landing", "shop/a.csv"),
        ("s3://bucket/in/shop/a.csv", "s3://bucket/in", "shop/a.csv"),
        ("s3://other/shop/a.csv", "s3://bucket/in", "s3://other/shop/a.csv"),
        ("orders:0:17", "landing", "orders:0:17"),
    ],
)
def test_an_input_is_named_without_the_folders_of_the_server(source: str, landing: str, shown: str) -> None:
    assert input_name(source, landing) == shown


def test_an_input_below_a_relative_landing_folder_is_named_by_its_path_in_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert input_name(str(tmp_path / "landing/shop/a.csv"), "landing") == "shop/a.csv"


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("2026-11-07 10:17:00.000000", "2026-11-07 10:17:00"),
        ("2026-11-07T10:17:00.000Z", "2026-11-07T10:17:00Z"),
        ("2026-11-07 10:17:00.000+01:00", "2026-11-07 10:17:00+01:00"),
        ("2026-11-07 10:17:00.001000", "2026-11-07 10:17:00.001000"),
        ("12.000", "12.000"),
        ("at 2026-11-07 10:17:00.000", "at 2026-11-07 10:17:00.000"),
    ],
)
def test_a_moment_is_shown_without_a_fraction_of_zeros(text: str, shown: str) -> None:
    assert environment().filters["without_zeros"](text) == shown
