"""Column names that the lake can hold: one policy for all sources.

Delta does not tell `Id` from `id`, so names that differ only by case, blanks or Unicode's normal form are one name.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Sequence
from itertools import count

from dq_pipelines.errors import RuleError

#: Columns that our layers add to a row, hide in it, or that Delta keeps for its change data feed.
RESERVED = frozenset(
    {
        *("_source", "_row", "_text", "_why"),  # every reading
        *("_batch", "_ingested_at", "_unreadable", "_partition"),  # bronze
        *(
            "_reasons",
            "_id",
            "_status",
            "_status_at",
            "_status_by",
            "_status_note",
            "_into",
            "_correction",
        ),  # quarantine
        *("_correction_before", "_reasons_today"),  # replay
        *("_expired_at", "_expired_why", "_expired_run", "_deletion"),  # backup
        *("_refused", "_dropped", "_order", "_mended", "_goes", "_row_in_data"),  # while rows are judged
        *("_change_type", "_commit_version", "_commit_timestamp"),  # Delta
    }
)
#: What begins like this may be a hidden column as well: the landed value of a cast one, the verdict of a rule.
_RESERVED_START = re.compile(r"_(raw|cast|fails|aside)_")
_BLANKS = re.compile(r"[\s\x00-\x1f\x7f]+")


#: Ends the name of a JSON key that came before in the same object: no part of a name, as blanks are none.
AGAIN = "\0"
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


def named(columns: Iterable[str]) -> list[Rename]:
    """For each column of a file, in order, its name there and its name in the lake.

    The first column of a name keeps it, wherever it stands. One whose name is taken or reserved gets `_2`, `_3` and so on, but
    no name that another column of the file has. One without a name is `column_<n>`.
    """
    landed = list(columns)
    bases = [cleaned(name) for name in landed]
    taken = {key(base) for base in bases if base}
    pairs, kept = [], set[str]()
    for place, (name, base) in enumerate(zip(landed, bases, strict=True), start=1):
        if base and key(base) not in kept and not is_reserved(base):
            kept.add(key(base))
            pairs.append((name, base))
            continue
        free = _free(base or f"column_{place}", taken, numbered=bool(base))
        taken.add(key(free))
        pairs.append((name, free))
    return pairs


def _free(base: str, taken: set[str], *, numbered: bool) -> str:
    """`base`, or where it is taken or shall have a number, the first such name that is not taken."""
    if not numbered and key(base) not in taken:
        return base
    return next(name for number in count(2) if key(name := f"{base}_{number}") not in taken)


def together(files: Sequence[Iterable[str]]) -> list[dict[str, str]]:
    """For each file, its columns by name with the name that all files share: the one of the first that has it."""
    first: dict[str, str] = {}
    return [{name: first.setdefault(key(name), name) for name in names} for names in files]


def landed_as(name: str, columns: Iterable[str]) -> str | None:
    """Which of the lake's `columns` a file's column of this name has become; None where none has.

    A name may have got a number: a reserved one (`_id` is `_id_2`), or one that differs from another by case only (`ID`
    is `ID_2` where there is `Id`). Raises RuleError where that may be one of several columns: nobody can tell which.
    """
    folded = {key(column): column for column in columns}
    if name in folded.values() and not is_reserved(name):
        return name
    base, alike = cleaned(name), folded.get(key(name))
    numbered = [column for column in folded.values() if re.fullmatch(rf"{re.escape(base)}_[2-9]", column)]
    if is_reserved(name):
        numbered = numbered or [folded[each] for number in range(2, 10) if (each := key(f"{base}_{number}")) in folded]
        possible = sorted(numbered) or ([alike] if alike else [])
    else:
        possible = [*([alike] if alike else []), *(numbered if alike and alike != base else [])]
    if len(possible) > 1:
        candidates = " and ".join(f"'{column}'" for column in possible)
        raise RuleError(f"the landed column '{name}' may be one of {candidates}: wanted one of these in 'from'")
    return possible[0] if possible else None


def renames(pairs: Iterable[Rename]) -> tuple[Rename, ...]:
    """The renames that people want to know of: not of columns without a name, nor of blanks alone."""
    worth_a_note = (
        (landed.rstrip(AGAIN), name) for landed, name in dict.fromkeys(pairs) if cleaned(landed) not in ("", name)
    )
    return tuple(dict.fromkeys(worth_a_note))
