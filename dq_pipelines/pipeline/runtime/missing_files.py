"""Damage: whether a read failed since the lake lacks a data file, and what is to be said then.

Libraries say of a missing or torn file whatever they stumble over, in many ways and places. So one who reports an error asks
here, once it has happened, and a read that goes well pays nothing. The look itself is in `lake.inspection`.
"""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress

from dq_pipelines.config.stores import error_text
from dq_pipelines.errors import ConfigError, DqError, PublishError, Refused, SetAside
from dq_pipelines.lake.inspection import harmed_files
from dq_pipelines.lake.tables import Lake
from dq_pipelines.project import Table
from dq_pipelines.sources.failures import errors_of_readers

#: Errors that say all there is to say.
_TOLD = (ConfigError, Refused, SetAside)


def in_a_sentence(error: BaseException, lake: Lake | None, keys: Iterable[str]) -> DqError | None:
    """What to say of an error that ended the work on tables of the lake; None for one that is a bug of ours.

    `keys` are all the tables that the work has read, `<layer>/<table>`; without a lake nobody looks.
    """
    told = error if isinstance(error, DqError) else None
    if told is not None and (isinstance(told, _TOLD) or ".parquet" not in str(told)):
        return told
    if lake is None or (told is None and not isinstance(error, errors_of_readers())):
        return told
    for key in dict.fromkeys(keys):
        # A table whose log cannot be read was not what ended the work: that says so itself.
        with suppress(DqError):
            if harmed := harmed_files(lake.table(key)):
                more = f" (and {len(harmed) - 1} more of its files)" if len(harmed) > 1 else ""
                return PublishError(f"{harmed[0]}{more}; {harmed[0].remedy}")
    if told is None and isinstance(error, OSError):
        return PublishError(f"{lake.root}: wanted to read and write it, got: {error_text(error)}")
    return told


def tables_read(table: Table) -> list[str]:
    """The keys of the tables that work on a table reads: its own layers, and what it looks things up in."""
    return [*table.keys, *table.upstream]
