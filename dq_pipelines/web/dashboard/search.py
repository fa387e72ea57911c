"""Finds what a reader looks for: tables, columns, rules and runs that they may view."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Generic

from dq_pipelines.web.dashboard.request_context import PageContext, RequestContext
from dq_pipelines.web.dashboard.search_index import ColumnHit, Found, Item, RuleHit, SearchIndex, TableHit

#: Hits of one kind on the page; the page tells how many more there are.
LISTED = 30
#: Characters of a search.
LONGEST = 200


@dataclass(frozen=True)
class Hits(Generic[Found]):
    """What was found of one kind, the best first."""

    shown: Sequence[Found]
    count: int

    @property
    def more(self) -> int:
        return self.count - len(self.shown)


@dataclass(frozen=True)
class SearchPage(PageContext):
    """The results of one search."""

    #: the text as it was searched for
    text: str
    tables: Hits[TableHit]
    columns: Hits[ColumnHit]
    rules: Hits[RuleHit]
    #: ids of runs that begin with the text
    runs: Sequence[str]

    @property
    def count(self) -> int:
        return self.tables.count + self.columns.count + self.rules.count + len(self.runs)

    @property
    def only_table(self) -> str:
        """The key of the table if its name is what was searched for and nothing else is; else ""."""
        exact = [one.key for one in self.tables.shown if self.text.lower() in _names(one.key)]
        return exact[0] if len(exact) == 1 and self.tables.count == 1 else ""


def search(visit: RequestContext, text: str, runs: Sequence[str] = ()) -> SearchPage:
    """What has all words of the text, in any case and order; nothing for an empty text."""
    text = text.strip()[:LONGEST]
    words = text.lower().split()
    index = visit.site.search_index(visit.known.project) if words else SearchIndex()
    return SearchPage(
        visit,
        text,
        _best(words, (item for item in index.tables if visit.sees(item[0].key))),
        _best(words, (item for item in index.columns if visit.sees(item[0].table))),
        _best(words, (item for item in index.rules if visit.sees(item[0].table))),
        runs if words else (),
    )


def _best(words: Sequence[str], items: Iterable[Item[Found]]) -> Hits[Found]:
    """The items of which one text has all words, or each word is in some text; those whose own name has them come first.

    The first text of an item is its name. A hit in the table's name alone is no hit of its column or rule.
    """
    ranked = [
        (_rank(words, texts[0].lower()), number, item)
        for number, (item, texts) in enumerate(items)
        if _has(words, texts)
    ]
    ranked.sort(key=lambda one: one[:2])
    return Hits([item for _, _, item in ranked[:LISTED]], len(ranked))


def _has(words: Sequence[str], texts: Sequence[str]) -> bool:
    every = "\n".join(texts).lower()
    own = "\n".join(texts[:-1] or texts).lower()
    return all(word in every for word in words) and any(word in own for word in words)


def _rank(words: Sequence[str], name: str) -> int:
    """0 for the name itself, 1 for its beginning, 2 for a part of it, 3 for a hit elsewhere."""
    text = " ".join(words)
    if text in _names(name):
        return 0
    if any(one.startswith(text) for one in _names(name)):
        return 1
    return 2 if all(word in name for word in words) else 3


def _names(key: str) -> tuple[str, str]:
    """A key, and its name without the layer."""
    return key.lower(), key.rpartition("/")[2].lower()
