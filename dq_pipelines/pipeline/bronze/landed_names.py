"""Landed columns under the names that they have in bronze: YAML names them as their files do."""

from __future__ import annotations

from collections.abc import Iterable

from dq_pipelines.errors import RuleError
from dq_pipelines.project import Silver
from dq_pipelines.sources.names import landed_as


def resolved(silver: Silver, landed: Iterable[str]) -> Silver:
    """The same with the landed columns under the names that they have in bronze.

    YAML names a column as its file does: `_id`, which is `_id_2` in bronze, or `ID` where bronze has `Id`.
    """
    columns_of_bronze = list(landed)
    columns = {}
    for name, column in silver.columns.items():
        wanted = column.sources or (name,)
        try:
            sources = tuple(landed_as(source, columns_of_bronze) or source for source in wanted)
        except RuleError as error:
            raise RuleError(f"column '{name}': {error}") from None
        columns[name] = column if sources == wanted else column.model_copy(update={"source": sources})
    return silver if columns == silver.columns else silver.model_copy(update={"columns": columns})
