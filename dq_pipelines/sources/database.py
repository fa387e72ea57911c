"""What sources of databases share: which rows there are to read, as a whole or from where the last batch ended."""

from __future__ import annotations

import abc
import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Annotated, ClassVar, Self

from pydantic import Field, PrivateAttr, model_validator

from dq_pipelines.config.columns import exact
from dq_pipelines.databases.connections import Connections, connection_of, is_url, place_of
from dq_pipelines.databases.queries import one_query
from dq_pipelines.databases.session import Column, Session
from dq_pipelines.databases.tunnel import Tunnel
from dq_pipelines.errors import SourceError, nearest
from dq_pipelines.sources.base import Reading, Source
from dq_pipelines.sources.database_rows import DatabaseRows
from dq_pipelines.sources.frames import Piece, names_of, reading
from dq_pipelines.sources.inputs import ConsumedVersion, Input
from dq_pipelines.sources.watermark import (
    BEFORE_ALL,
    DatabaseState,
    Incremental,
    Watermark,
    digest_of,
    is_number,
    out_of_order,
    points,
    shown_point,
)

if TYPE_CHECKING:
    import polars as pl


class DatabaseSource(Source, abc.ABC):
    """Rows of a table or a query in a database."""

    #: the database: a URL with its password by `${NAME}`, or the name of a connection in project.yaml
    connection: Annotated[str, Field(min_length=1, repr=False)]
    #: the table, `schema.name`
    table: Annotated[str, Field(min_length=1)] | None = None
    #: a SELECT in place of a table
    query: Annotated[str, Field(min_length=1)] | None = None
    #: read only what is new since the last batch; without it, each changed state is read whole
    incremental: Incremental | None = None

    example: ClassVar[Mapping[str, str]] = {"connection": "${DQ_SHOP_URL}", "table": "public.orders"}

    #: the SQL of queries, as sqlglot names it
    dialect: ClassVar[str]
    #: the scheme of a URL that is made of the parts of a connection
    scheme: ClassVar[str]

    _connections: Connections = PrivateAttr(default_factory=dict)

    @model_validator(mode="after")
    def _one_of_table_and_query(self) -> Self:
        if (self.table is None) == (self.query is None):
            raise ValueError(f"wanted one of 'table' and 'query', got {'none' if self.table is None else 'both'}")
        return self

    def with_connections(self, connections: Connections) -> Self:
        """The same source, which knows the connections of project.yaml."""
        known = self.model_copy()
        known._connections = connections  # noqa: SLF001 - of a copy of itself
        return known

    @property
    def wrong_connection(self) -> str:
        """One sentence about a connection that project.yaml does not have; "" where all is well."""
        if is_url(self.connection) or self.connection in self._connections:
            return ""
        return f"unknown connection '{self.connection}'{nearest(self.connection, self._connections)}"

    @abc.abstractmethod
    def open(self, url: str) -> Session:
        """A session in the database. Raises SourceError, or Transient."""

    def open_through(self, tunnel: Tunnel, url: str) -> Session:
        """The same through an SSH tunnel. Raises SourceError for a kind of database that has none."""
        raise SourceError(f"{place_of(url)}: wanted a connection without 'tunnel': a source of its kind has none")

    @property
    def continues(self) -> bool:
        return self.incremental is not None

    # --- listing ------------------------------------------------------------------------------------

    def inputs(self) -> Sequence[Input]:
        session = self._session()
        rows = self._rows(session)
        if self.incremental is not None:
            return self._listed(session, rows, self._uri)
        return [Input(self._uri, 0, DatabaseState(session.number_of_now(), session=session))]

    def _listed(self, session: Session, rows: str, uri: str) -> Sequence[Input]:
        """All that there is to read by the column that grows."""
        column, point = self._watermark(session, rows)
        name = session.quoted(column.name)
        greatest_row = f"SELECT max(_dq.{name}) AS {name} FROM {rows} AS _dq WHERE NOT {out_of_order(session, column)}"  # noqa: S608
        (greatest,) = session.values(f"SELECT {point} FROM ({greatest_row}) AS _dq")  # noqa: S608 - all names are quoted
        if greatest is None:
            others = f"SELECT count(*) FROM {rows} AS _dq WHERE {out_of_order(session, column)}"  # noqa: S608
            if session.values(others) == (0,):
                return []
        return [Input(uri, 0, self._near(session, rows, column, greatest))]

    def _near(self, session: Session, rows: str, column: Column, greatest: int | None) -> Watermark:
        """The watermark at a value, with a digest of the rows within the lag before it, and of those without a value."""
        assert self.incremental is not None  # noqa: S101 - only then there is a watermark
        late = out_of_order(session, column)
        if greatest is not None:
            least = session.literal(column, greatest - self.incremental.back(is_time=not is_number(column)))
            late = f"_dq.{session.quoted(column.name)} >= {least} OR {late}"
        counted = session.values(f"SELECT {session.digest(rows)} FROM {rows} AS _dq WHERE {late}")  # noqa: S608
        number = BEFORE_ALL if greatest is None else greatest
        return Watermark(number, digest_of(*counted), session=session, column=column)

    @property
    def _address(self) -> str:
        return connection_of(self.connection, self._connections).address(self.scheme)

    @property
    def _uri(self) -> str:
        place = place_of(self._address)
        return f"{place}/{self.table or 'query-' + hashlib.sha256((self.query or '').encode()).hexdigest()[:8]}"

    def _session(self) -> Session:
        self.must_be_allowed(self._address)
        tunnel = connection_of(self.connection, self._connections).tunnel
        return self.open(self._address) if tunnel is None else self.open_through(tunnel, self._address)

    def must_be_allowed(self, address: str) -> None:
        """Raise SourceError for a database outside of the places where this source may read."""
        if self._places:
            raise SourceError(f"{self.type}: wanted files below {' or '.join(self._places)}, got a database")  # type: ignore[attr-defined] # each source has it

    def _session_of(self, item: Input) -> Session:
        """The session in which an input was listed."""
        return item.version.session if isinstance(item.version, DatabaseState) else self._session()

    def _rows(self, session: Session) -> str:
        return (
            session.rows_of(self.table) if self.table is not None else f"({one_query(self.query or '', self.dialect)})"
        )

    def _watermark(self, session: Session, rows: str) -> tuple[Column, str]:
        """The column that grows, and the SQL of its point. Raises SourceError."""
        assert self.incremental is not None  # noqa: S101 - only then there is one
        columns = session.columns(rows)
        column = next((one for one in columns if one.name == self.incremental.by), None)
        if column is None:
            found = nearest(self.incremental.by, [one.name for one in columns])
            raise SourceError(f"{self._uri}: wanted a column '{self.incremental.by}' to read by, found none{found}")
        column = session.watermark(column, rows)
        point = session.point(column)
        if point is None:
            raise SourceError(f"{self._uri}: wanted whole numbers or times in '{column.name}', got {column.type}")
        return column, point

    # --- the version of an input --------------------------------------------------------------------

    def must_be_unchanged(self, item: Input) -> None:
        """Nothing to look at: what was read is one state of the database, whatever came later."""

    def content_of(self, item: Input) -> int:
        if isinstance(item.version, Watermark):
            return digest_of(item.version.since, item.version.after, item.version.number, item.version.changed)
        session = self._session_of(item)
        rows = self._rows(session)
        return digest_of(*session.values(f"SELECT {session.digest(rows)} FROM {rows} AS _dq"))  # noqa: S608

    def is_same(self, item: Input, consumed: ConsumedVersion) -> bool | None:
        if not isinstance(item.version, Watermark):
            return consumed.content == self.content_of(item)
        return item.version.number <= consumed.number and item.version.changed == (consumed.changed or 0)

    def unconsumed(self, item: Input, consumed: ConsumedVersion | None) -> Input:
        if self.incremental is None or not isinstance(item.version, Watermark):
            return item
        after = consumed.number if consumed is not None else None
        version = replace(item.version, after=after, since=self._since(after, item.version))
        if after is not None and version.number < after:  # the greatest rows were deleted
            version = replace(version, number=after)
        if self.incremental.max_rows is not None and (after is None or version.number > after):
            version = self._first_rows(version)
        return replace(item, version=version)

    def _since(self, after: int | None, version: Watermark) -> int | None:
        assert self.incremental is not None  # noqa: S101 - of `unconsumed`, which has looked
        return None if after is None or after == BEFORE_ALL else after - self.incremental.back(is_time=version.is_time)

    def _first_rows(self, version: Watermark) -> Watermark:
        """The version that ends with the row that is `max_rows` after what has landed, and all of its value."""
        assert self.incremental is not None  # noqa: S101 - of `unconsumed`, which has looked
        session, column = version.session, version.column
        rows, point = self._rows(session), session.point(column)
        name = f"_dq.{session.quoted(column.name)}"
        new = (
            f"{name} > {session.literal(column, version.after)} AND "
            if version.after is not None and version.since is not None
            else ""
        )
        (end,) = session.values(
            f"SELECT max(p) FROM (SELECT {point} AS p FROM {rows} AS _dq"  # noqa: S608 - all names are quoted
            f" WHERE {new}NOT {out_of_order(session, column)} ORDER BY {name} LIMIT {self.incremental.max_rows}) AS n"
        )
        if end is None or end >= version.number:
            return version
        return replace(version, number=end, changed=self._near(session, rows, column, end).changed)

    def row_sources(self, item: Input) -> Sequence[str]:
        version = item.version
        if not isinstance(version, Watermark):
            return (item.uri,)
        near = f"{version.changed:x}"[-6:]
        return (f"{item.uri}#to {shown_point(version.number, version.is_time)}, {near}",)

    # --- reading ------------------------------------------------------------------------------------

    def read(self, inputs: Sequence[Input]) -> Reading:
        import polars as pl

        (item,) = inputs
        session = self._session_of(item)
        rows = self._rows(session)
        where, order = self._range(session, item)
        columns = session.typed(session.columns(rows), rows, where)
        (source,) = self.row_sources(item)
        names = names_of(item.uri, [column.name for column in columns])
        landed = [replace(column, name=names[column.name]) for column in columns]
        schema = {column.name: column.dtype for column in landed}
        result = DatabaseRows(session, rows, landed, where, order)
        good = Piece(source, result.readable, schema, names=list(names.items()))
        bad = Piece(source, result.unreadable, {name: pl.String() for name in ("_text", "_why")})
        found = reading([good], [bad] if any(column.unsound for column in landed) else [])
        return replace(found, overlap=self._overlap(item, names, schema))

    def _range(self, session: Session, item: Input) -> tuple[str, str]:
        """The SQL after FROM for the rows of an input: WHERE and ORDER BY."""
        version = item.version
        if not isinstance(version, Watermark):
            return "", ""
        column, name = version.column, f"_dq.{session.quoted(version.column.name)}"
        if version.number == BEFORE_ALL:
            return f" WHERE {out_of_order(session, column)}", f" ORDER BY {name}"
        within = [f"{name} <= {session.literal(column, version.number)}"]
        if version.since is not None:
            within.insert(0, f"{name} >= {session.literal(column, version.since)}")
        return f" WHERE ({' AND '.join(within)}) OR {out_of_order(session, column)}", f" ORDER BY {name}"

    def _overlap(self, item: Input, names: Mapping[str, str], schema: Mapping[str, pl.DataType]) -> pl.Expr | None:
        """The condition on rows that may have landed before; None where none can have."""
        import polars as pl

        version = item.version
        if self.incremental is None or not isinstance(version, Watermark) or version.after is None:
            return None
        value = points(pl.col(exact(names[self.incremental.by])), schema[names[self.incremental.by]], version.is_time)
        return (value <= version.after) | value.is_null()
