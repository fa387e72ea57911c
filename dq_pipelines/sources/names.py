"""Column names that the lake can hold: one policy for all sources. How many lines of a file are its header belongs in header.py.

Delta does not tell `Id` from `id`, so names that differ only by case, blanks or Unicode's normal form are one name.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

#: Columns that our layers add to a row, hide in it, or that Delta keeps for its change data feed.
RESERVED = frozenset(
    {
        *("_source", "_row", "_text", "_why"),  # every reading
        *("_batch", "_ingested_at", "_unreadable", "_partition"),  # bronze
        *("_reasons", "_id", "_status", "_status_at", "_status_by", "_into", "_correction"),  # quarantine
        *("_correction_before", "_reasons_today"),  # replay
        *("_expired_at", "_expired_why", "_expired_run", "_deletion"),  # backup
        *("_refused", "_dropped", "_order", "_mended", "_goes", "_row_in_data"),  # while rows are judged
        *("_change_type", "_commit_version", "_commit_timestamp"),  # Delta
    }
)
#: What begins like this may be a hidden column as well: the landed value of a cast one, the verdict of a rule.
_RESERVED_START = re.compile(r"_(raw|cast|fails|aside)_")
_BLANKS = re.compile(r"[\s\x00-\x1f\x7f]+")


#: A column's name in its file, and the other one that it has in the lake.
Rename = tuple[str, str]


def is_reserved(name: str) -> bool:
    """Whether the lake keeps the name for itself."""
    folded = key(name)
    return folded in RESERVED or _RESERVED_START.match(folded) is not None


def key(name: str) -> str:
    """What two names have in common when they mean the same column."""
    return unicodedata.normalize("NFC", cleaned(name).lower())


def cleaned(name: str) -> str:
    """The name without a byte order mark; blanks and control characters become one space, none at its ends."""
    if name.isidentifier():  # the usual case
        return name
    return _BLANKS.sub(" ", name.removeprefix("\ufeff")).strip()


@dataclass
class Naming:
    """Gives the columns of one file their names, in order of appearance.

    A name that was there before, or that is reserved, gets `_2`, `_3` and so on; an empty one is `column_<n>`.
    """

    #: for each column, in order, its name in the file and its name in the lake
    pairs: list[Rename] = field(default_factory=list)
    _taken: set[str] = field(default_factory=set)
    _given: dict[str, str] = field(default_factory=dict)

    def next(self, landed: str) -> str:
        """The name of the next column; one that comes with the same name again is another column."""
        base = cleaned(landed) or f"column_{len(self.pairs) + 1}"
        name, number = base, 2
        while key(name) in self._taken or (name == base and is_reserved(base)):
            name, number = f"{base}_{number}", number + 1
        self._taken.add(key(name))
        self._given[landed] = name
        self.pairs.append((landed, name))
        return name

    def of(self, landed: str) -> str:
        """The name of the column that has this name in the file, wherever it comes again."""
        return self._given.get(landed) or self.next(landed)


def named(columns: Iterable[str]) -> list[Rename]:
    """For each column of a file, in order, its name there and its name in the lake."""
    naming = Naming()
    for column in columns:
        naming.next(column)
    return naming.pairs


def together(files: Sequence[Iterable[str]]) -> list[dict[str, str]]:
    """For each file, its columns by name with the name that all files share: the one of the first that has it."""
    first: dict[str, str] = {}
    return [{name: first.setdefault(key(name), name) for name in names} for names in files]


def landed_as(name: str, there: Iterable[str]) -> str | None:
    """Which of the columns that are `there` a file's column of this name has become; None where none has.

    A reserved name is looked for with its number first: `_id` is `_id_2`, unless nothing but ours is there.
    """
    folded = {key(column): column for column in there}
    if is_reserved(name):
        numbered = (folded.get(key(f"{cleaned(name)}_{number}")) for number in range(2, 10))
        if found := next(filter(None, numbered), None):
            return found
    return name if name in folded.values() else folded.get(key(name))


def renames(pairs: Iterable[Rename]) -> tuple[Rename, ...]:
    """The renames that people want to know of: not of columns without a name, nor of blanks alone."""
    return tuple((landed, name) for landed, name in dict.fromkeys(pairs) if cleaned(landed) not in ("", name))
