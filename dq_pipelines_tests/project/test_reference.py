"""The reference pages have an entry for everything there is."""

from __future__ import annotations

from dq_pipelines.monitoring.alerts.settings import Alerts, Route
from dq_pipelines.project.pages.reference import pages
from dq_pipelines.project.tables import Gold, GoldTable, LandedTable, ProjectSettings, Silver
from dq_pipelines.rules import rule_classes
from dq_pipelines.sources import source_classes
from dq_pipelines.transforms.cast_rules import LANDED, WANTED


def test_every_rule_has_an_entry() -> None:
    page = pages()["rules.md"]
    for name, rule in rule_classes().items():
        entry = page.partition(f"\n### {name}\n")[2].partition("\n### ")[0]
        assert entry, name
        common = page.partition("\n- [")[0]
        for key in rule.model_fields:
            assert f"`{key}`" in entry or f"`{key}`" in common, (name, key)
        if rule.examples:
            assert f"- {{type: {name}" in entry


def test_every_key_has_an_entry() -> None:
    page = pages()["configuration.md"]
    for model in (LandedTable, GoldTable, Silver, Gold, ProjectSettings, Alerts, Route):
        for name, field in model.model_fields.items():
            assert f"| `{field.alias or name}` |" in page
    for name in source_classes():
        assert f"### source: {name}" in page


def test_every_pair_of_types_is_on_the_page_of_casts() -> None:
    page = pages()["casts.md"]
    for landed in LANDED:
        section = page.partition(f"\n## From {landed}\n")[2].partition("\n## From ")[0]
        for wanted in WANTED:
            assert f"`{wanted}`" in section, (landed, wanted)
    for name in ("format", "round", "unit", "origin", "trim"):
        assert f"| `{name}` |" in page.partition("## ")[0]


def test_pages_are_the_same_each_time() -> None:
    assert pages() == pages()
