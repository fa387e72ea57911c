"""Generates reproducible sample data for landing, with the expected faults: which, how many, and what detects them."""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import Protocol, cast

from dq_pipelines.errors import ConfigError, Problem, nearest
from dq_pipelines.samples.expected_faults import ExpectedFaults, ExpectedRun, Fate, Fault


class Generator(Protocol):
    def __call__(self, landing: Path, *, seed: int = ..., size: float = ...) -> ExpectedFaults: ...


#: Domain -> the module that generates it, imported on demand.
SAMPLES = {
    "flights": "dq_pipelines.samples.flights",
    "retail": "dq_pipelines.samples.retail",
    "detector": "dq_pipelines.samples.detector",
}


def generate(
    domain: str, landing: Path, *, seed: int = 7, size: float = 1.0, following: bool = False
) -> ExpectedFaults:
    """Writes the sample files of `domain` under `landing` and returns their expected faults.

    With `following`, writes what lands next, after what has landed: one more run of the detector.

    The same seed and size give the same bytes; an identical existing file is not touched.
    Raises ConfigError for an unknown domain, one without a next, or an impossible size, PublishError when `landing`
    cannot be written.
    """
    if domain not in SAMPLES:
        wanted = ", ".join(SAMPLES)
        raise ConfigError(
            [Problem("", 0, f"samples: wanted one of {wanted}, got '{domain}'{nearest(domain, SAMPLES)}")]
        )
    if not 0 < size < float("inf"):
        raise ConfigError([Problem("", 0, f"samples: wanted a size above 0, got {size}")])
    generator = getattr(importlib.import_module(SAMPLES[domain]), "generate_next" if following else "generate", None)
    if generator is None:
        raise ConfigError([Problem("", 0, f"dq sample --next: wanted detector, got '{domain}'")])
    return cast("Generator", generator)(landing, seed=seed, size=size)


__all__ = ["SAMPLES", "ExpectedFaults", "ExpectedRun", "Fate", "Fault", "generate"]
