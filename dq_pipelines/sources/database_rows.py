"""Rows of a query as a reading has them: numbered, and those apart that cannot be read as they are."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import chain, islice
from typing import TYPE_CHECKING

from dq_pipelines.databases.session import UNREADABLE, Column, Session
from dq_pipelines.sources.base import ROW
from dq_pipelines.sources.frames import numbered

if TYPE_CHECKING:
    import polars as pl


@dataclass(frozen=True)
class DatabaseRows:
    """The rows of a query, asked for anew each time, in one state of the database."""

    session: Session
    rows: str
    columns: Sequence[Column]
    where: str
    order: str

    def _numbered(self, columns: Sequence[str] | None) -> Iterator[pl.DataFrame]:
        wanted = {*columns} if columns is not None else None
        chosen = [one for one in self.columns if wanted is None or one.name in wanted or one.unsound]
        batches = numbered(lambda _: self.session.batches(self.rows, chosen, self.where, self.order), {})
        return batches(columns)

    def readable(self, columns: Sequence[str] | None) -> Iterator[pl.DataFrame]:
        """The rows that can be read as they are."""
        for batch in self._numbered(columns):
            yield batch.filter(~batch.get_column(UNREADABLE)).drop(UNREADABLE)

    def unreadable(self, _: Sequence[str] | None) -> Iterator[pl.DataFrame]:
        """The others, with their text and why they cannot be read."""
        import polars as pl

        told = self.session.unreadable(self.rows, self.columns, self.where, self.order)
        if (first := next(told, None)) is None:
            return
        texts = chain([first], told)
        for batch in self._numbered([]):
            bad = batch.filter(batch.get_column(UNREADABLE)).select(ROW)
            of_batch = list(islice(texts, bad.height))
            yield bad.with_columns(
                pl.Series(name, [one[place] for one in of_batch], pl.String())
                for place, name in enumerate(("_text", "_why"))
            )
