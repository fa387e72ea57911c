"""docs/performance.md: a head, and sections of which each run of the bench replaces those that it measured."""

from __future__ import annotations

import re

from dq_pipelines_tests.benchmarks.measure import ROOT

PAGE = ROOT / "docs" / "performance.md"


def put(text: str) -> None:
    """Replace the sections that `text` has; a new one is added after the one that it follows in `text`.

    What stands before the first section, if anything, replaces the head.
    """
    PAGE.write_text(merged(PAGE.read_text("utf-8"), text), encoding="utf-8")


def merged(page: str, text: str) -> str:
    sections, place = _sections(page), ""
    for key, section in _sections(text).items():
        if key in sections:
            sections[key] = section or sections[key]
        else:
            keys = list(sections)
            at = keys.index(place) + 1 if place else len(keys)
            sections = dict([*list(sections.items())[:at], (key, section), *list(sections.items())[at:]])
        place = key
    return "\n\n".join(sections.values()) + "\n"


def _sections(page: str) -> dict[str, str]:
    """Each section by its heading without its numbers, which differ from run to run; the head by no name."""
    head, *sections = re.split(r"^(?=## )", page, flags=re.MULTILINE)
    return {"": head.strip()} | {re.sub(r"[\d,.]+", "#", one.splitlines()[0]): one.strip() for one in sections}
