"""Projects that a test writes and runs."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from dq_pipelines_tests.workshop import Workshop


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[Workshop]:
    workshop = Workshop(tmp_path)
    with workshop.instance:
        yield workshop
