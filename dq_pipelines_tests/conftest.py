"""What every test stands on: a clean environment, places of its own, the Hypothesis profiles.

What only one room's tests need belongs in that room's conftest.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import settings
from xdist.remote import Producer
from xdist.scheduler import LoadGroupScheduling

from dq_pipelines_tests.processes import pytest_configure, pytest_sessionfinish

if TYPE_CHECKING:
    from dq_pipelines_tests.workshop import Workshop

__all__ = ["pytest_configure", "pytest_sessionfinish"]  # pytest finds its hooks here

ROOT = Path(__file__).resolve().parents[1]

# Before any test module is imported: whatever the host has set must not decide a test, nor may a library call home
# (Dagster's own switch is in dagster.yaml, which `places` lays into its DAGSTER_HOME).
# DQ_CORPORA is no setting of ours: it says where other people's files lie, for the tests that read them.
for _name in [name for name in os.environ if name.startswith(("DQ_", "DAGSTER_")) and name != "DQ_CORPORA"]:
    del os.environ[_name]
os.environ["GX_ANALYTICS_ENABLED"] = "false"

# `ci` repeats the same examples each time, so that a red run is red for everybody; `torture` looks for new ones.
settings.register_profile("ci", deadline=None, derandomize=True, database=None)
settings.register_profile("torture", deadline=None, max_examples=2_000, print_blob=True)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "ci"))


def pytest_xdist_auto_num_workers() -> int:
    """One more than there are cores: many a test waits for a process of its own."""
    return (os.cpu_count() or 1) + 1


class ByModule(LoadGroupScheduling):  # type: ignore[misc]  # xdist has no types
    """A module's tests run in one process, so that what its fixtures build is built once; a group's do, too."""

    def _split_scope(self, nodeid: str) -> str:
        return str(super()._split_scope(nodeid)).partition("::")[0]


def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> ByModule:
    """Share tests out by module."""
    return ByModule(config, log)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Modules with slow tests first: they run beside the quick ones and do not end up alone at the close.

    What runs on Spark runs in one process, for a second Java would take as long again to warm up.
    """
    for item in items:
        # schemathesis calls the tests of all routes the same, and of those that share an id xdist runs one.
        if isinstance(item, pytest.Function) and item.name not in item.nodeid:
            item._id = replace(item.id, params=item.name.partition("[")[2].removesuffix("]"))
    if len({item.nodeid for item in items}) < len(items):
        raise pytest.UsageError("two tests have one id: xdist would run one of them")
    for item in items:
        for mark in item.iter_markers("corpus"):
            item.user_properties.append(("corpus", mark.args[0]))
    slow = {item.path for item in items if item.get_closest_marker("slow") is not None}
    for item in items:
        if "spark" in item.nodeid:
            item.add_marker(pytest.mark.xdist_group("spark"))
    items.sort(key=lambda item: (item.get_closest_marker("xdist_group") is None, item.path not in slow))


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print what tests measured (`record_property("measured", …)`), and how each corpus was read."""
    found: dict[str, Counter[str]] = {}
    for state in ("passed", "failed", "error"):
        for report in terminalreporter.getreports(state):
            told = dict(getattr(report, "user_properties", ()))  # a report of a collection has none
            if "measured" in told:
                terminalreporter.write_line(str(told["measured"]))
            if "corpus" in told and (report.when == "call" or state == "error"):
                outcome = "wrong" if state != "passed" else "clear error" if "clear_error" in told else "right"
                found.setdefault(str(told["corpus"]), Counter())[outcome] += 1
    if found:
        outcomes = ("right", "clear error", "wrong")
        terminalreporter.write_line(f"{'corpus':16}{'files':>8}" + "".join(f"{one:>13}" for one in outcomes))
        for name, counts in sorted(found.items()):
            row = "".join(f"{counts[one]:13}" for one in outcomes)
            terminalreporter.write_line(f"{name:16}{counts.total():8}{row}")


@dataclass(frozen=True)
class Places:
    """Where one test's files lie; the environment points there while the test runs."""

    #: DQ_LAKE: tables, not yet made
    lake: Path
    #: DQ_LANDING: files that arrive, an empty folder
    landing: Path
    #: DAGSTER_HOME: Dagster's records, a folder with the project's own dagster.yaml
    dagster_home: Path


@pytest.fixture
def places(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Places:
    """A lake, a landing and a Dagster home of this test alone; `DQ_CONFIG` stays unset."""
    found = Places(tmp_path / "lake", tmp_path / "landing", tmp_path / "dagster_home")
    found.landing.mkdir()
    found.dagster_home.mkdir()
    shutil.copy(ROOT / "dagster.yaml", found.dagster_home)
    monkeypatch.setenv("DQ_LAKE", str(found.lake))
    monkeypatch.setenv("DQ_LANDING", str(found.landing))
    monkeypatch.setenv("DAGSTER_HOME", str(found.dagster_home))
    monkeypatch.setenv("DQ_STATE", str(tmp_path / "state"))
    return found


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[Workshop]:
    """A project that the test writes, its landing, lake, history and Dagster's records."""
    from dq_pipelines_tests.workshop import Workshop

    workshop = Workshop(tmp_path)
    with workshop.instance:
        yield workshop


@pytest.fixture
def lake(places: Places) -> Path:
    """This test's DQ_LAKE."""
    return places.lake


@pytest.fixture
def landing(places: Places) -> Path:
    """This test's DQ_LANDING."""
    return places.landing


@pytest.fixture
def dagster_home(places: Places) -> Path:
    """This test's DAGSTER_HOME."""
    return places.dagster_home


@pytest.fixture(scope="session")
def checkout() -> Path:
    """The top folder of this checkout."""
    return ROOT


@pytest.fixture(scope="session")
def tracked() -> Sequence[Path]:
    """Every file that git tracks or would track, as paths relative to the checkout."""
    listing = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        check=True,
        capture_output=True,
        text=True,
    ).stdout
    return [Path(name) for name in sorted(set(listing.split("\0"))) if name and (ROOT / name).is_file()]
