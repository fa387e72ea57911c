"""Small projects after public bug reports of other tools: each runs through Dagster, from a copy of our own.

With `DQ_CORPORA`, the same expectations are held against the original files as well (`make torture`).
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest

from dq_pipelines_tests.workshop import Workshop

CORPUS = Path(os.environ.get("DQ_CORPORA", "nowhere")) / "reports"


@dataclass(frozen=True)
class Report:
    """One project: its tables are written, its files wait until the test lands them."""

    shop: Workshop
    #: the files of the project, by their names in the landing folder
    files: Path

    def land(self, *names: str, modified: int | None = None) -> None:
        """Copy these files (all where none is named) to the landing folder; `modified` is in seconds since 1970."""
        wanted = names or [str(path.relative_to(self.files)) for path in self.files.rglob("*") if path.is_file()]
        for name in wanted:
            landed = self.shop.land(name, (self.files / name).read_bytes())
            if modified is not None:
                os.utime(landed, (modified, modified))


#: Makes a report of YAML by table and content by file name.
Lay = Callable[[Mapping[str, str], Mapping[str, str | bytes]], Report]


@pytest.fixture(params=["ours", pytest.param("original", marks=pytest.mark.torture)])
def lay(request: pytest.FixtureRequest, shop: Workshop, record_property: Callable[[str, object], None]) -> Lay:
    """Lays the project of the test's marker `report`: our copy of it, or the original one."""
    (name,) = request.node.get_closest_marker("report").args
    files = shop.root / "files"
    files.mkdir()

    def ours(tables: Mapping[str, str], contents: Mapping[str, str | bytes]) -> Report:
        for table, text in tables.items():
            shop.table(table, text)
        for file, content in contents.items():
            (files / file).parent.mkdir(parents=True, exist_ok=True)
            (files / file).write_bytes(content.encode() if isinstance(content, str) else content)
        return Report(shop, files)

    def original(_tables: Mapping[str, str], contents: Mapping[str, str | bytes]) -> Report:
        for path in (CORPUS / name).rglob("*.yaml"):
            shop.table(path.stem, path.read_text(encoding="utf-8").replace("${DQ_LANDING}", "{landing}"))
        if (CORPUS / name / "landing").is_dir():
            shutil.copytree(CORPUS / name / "landing", files, dirs_exist_ok=True)
            return Report(shop, files)
        return ours({}, contents)

    shop.landing.mkdir()
    if request.param == "ours":
        return ours
    if not CORPUS.is_dir():
        pytest.skip("DQ_CORPORA names no folder with the original reports")
    record_property("corpus", "reports")
    return original
