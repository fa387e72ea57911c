"""Explains an error of a read: checks whether the lake lacks a data file, and names the file and the remedy.

Libraries report a missing or torn file in many ways. So the check is made once an error is reported, and a successful read
costs nothing.
"""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress

from dq_pipelines.config.stores import error_text
from dq_pipelines.errors import ConfigError, DqError, PublishError, Refused, SetAside
from dq_pipelines.lake.inspection import damaged_files
from dq_pipelines.lake.tables import Lake
from dq_pipelines.project import Table
from dq_pipelines.sources.failures import errors_of_readers

#: Errors whose message is already complete.
_COMPLETE = (ConfigError, Refused, SetAside)


def explain_error(error: BaseException, lake: Lake | None, keys: Iterable[str]) -> DqError | None:
    """The error to report for one that ended the work on tables of the lake; None for a bug of this program.

    `keys` are all the tables that the work read, as `<layer>/<table>`. Without a lake no file is checked.
    """
    reported = error if isinstance(error, DqError) else None
    if reported is not None and (isinstance(reported, _COMPLETE) or ".parquet" not in str(reported)):
        return reported
    if lake is None or (reported is None and not isinstance(error, errors_of_readers())):
        return reported
    for key in dict.fromkeys(keys):
        # A table whose log cannot be read did not end the work: such an error names itself.
        with suppress(DqError):
            if harmed := damaged_files(lake.table(key)):
                more = f" (and {len(harmed) - 1} more of its files)" if len(harmed) > 1 else ""
                return PublishError(f"{harmed[0]}{more}; {harmed[0].remedy}")
    if reported is None and isinstance(error, OSError):
        return PublishError(f"{lake.root}: wanted to read and write it, got: {error_text(error)}")
    return reported


def tables_read(table: Table) -> list[str]:
    """The keys of the tables that work on a table reads: its own layers and its upstream tables."""
    return [*table.keys, *table.upstream]
