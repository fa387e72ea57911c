"""What sources share whose database is a file: it has to lie where the source may read."""

from __future__ import annotations

import abc
from collections.abc import Mapping
from typing import ClassVar

from dq_pipelines.databases.files import path_of
from dq_pipelines.errors import SourceError
from dq_pipelines.sources.database import DatabaseSource
from dq_pipelines.sources.places import is_below


class DatabaseFileSource(DatabaseSource, abc.ABC):
    """Rows of a database that is a file."""

    example: ClassVar[Mapping[str, str]] = {"connection": "sqlite:///data/shop.db", "table": "orders"}

    @property
    def asks_network(self) -> bool:
        return False

    def must_be_allowed(self, address: str) -> None:
        if self._places and not any(is_below(str(path_of(address)), place) for place in self._places):
            raise SourceError(f"{path_of(address)}: wanted a place below {' or '.join(self._places)}")
