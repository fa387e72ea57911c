"""Reads the mappings of a data contract, and tracks which keys were used, so that unused ones can be reported."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from dq_pipelines.config.model import shown
from dq_pipelines.config.yaml_file import Location, YamlFile
from dq_pipelines.errors import Problem, nearest

#: Keys of the Open Data Contract Standard (v3.1).
_ANY = ("id", "tags", "customProperties", "authoritativeDefinitions", "description")
_ELEMENT = (*_ANY, "name", "physicalType", "businessName", "logicalType", "physicalName", "relationships", "quality")
OPERATORS = (
    "mustBe", "mustNotBe", "mustBeGreaterThan", "mustBeGreaterOrEqualTo", "mustBeLessThan", "mustBeLessOrEqualTo",
    "mustBeBetween", "mustNotBeBetween",
)  # fmt: skip
KEYS: dict[str, tuple[str, ...]] = {
    "contract": (
        *_ANY, "version", "kind", "apiVersion", "name", "tenant", "status", "servers", "dataProduct", "domain", "schema",
        "support", "price", "team", "roles", "slaDefaultElement", "slaProperties", "contractCreatedTs",
    ),
    "object": (*_ELEMENT, "dataGranularityDescription", "properties"),
    "property": (
        *_ELEMENT, "primaryKey", "primaryKeyPosition", "logicalTypeOptions", "required", "unique", "partitioned",
        "partitionKeyPosition", "classification", "encryptedName", "transformSourceObjects", "transformLogic",
        "transformDescription", "examples", "criticalDataElement", "properties", "items", "synonyms", "deprecated",
        "enum",
    ),
    "quality": (
        *_ANY, *OPERATORS, "businessImpact", "dimension", "method", "name", "schedule", "scheduler", "severity", "type",
        "unit", "metric", "rule", "arguments", "query", "engine", "implementation", "validValues", "pattern",
    ),
    "options": (
        "minLength", "maxLength", "pattern", "format", "minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum",
        "multipleOf", "timezone", "defaultTimezone", "maxProperties", "minProperties", "required", "maxItems",
        "minItems", "uniqueItems", "default",
    ),
}  # fmt: skip

_NOWHERE = "a table's YAML has no place for it"


@dataclass(frozen=True)
class Note:
    """A key of the contract that the table's YAML does not contain, and why."""

    line: int
    what: str
    why: str


@dataclass
class Contract:
    """The contract file, with its problems and notes so far."""

    yaml: YamlFile
    problems: list[Problem] = field(default_factory=list)
    notes: list[Note] = field(default_factory=list)
    #: whether the contract's version of the standard forbids unknown keys
    closed: bool = False

    def wrong(self, place: Location, sentence: str) -> None:
        """Adds an error that the contract's author must fix."""
        self.problems.append(self.yaml.problem(place, sentence))


class Part:
    """One mapping of the contract."""

    def __init__(self, contract: Contract, value: Mapping[str, Any], place: Location, kind: str = "") -> None:
        self.contract, self.value, self.place, self.kind = contract, value, place, kind
        self._taken: set[str] = set()
        if contract.closed and kind in KEYS:
            for key in value:
                if key not in KEYS[kind]:
                    contract.wrong((*place, key), f"unknown key '{key}'{nearest(str(key), KEYS[kind])}")

    def __contains__(self, key: str) -> bool:
        return self.value.get(key) is not None

    def take(self, key: str) -> Any:
        """Returns the value of `key`, or None."""
        self._taken.add(key)
        return self.value.get(key)

    def text(self, key: str) -> str | None:
        """Returns a text; unquoted numbers and dates are converted to text."""
        value = self.take(key)
        if isinstance(value, Mapping | list | bool):
            self._refuse(key, "text", value)
            return None
        return None if value is None else str(value).strip()

    def flag(self, key: str) -> bool:
        """Returns a boolean; false without a value."""
        value = self.take(key)
        if value is None or isinstance(value, bool):
            return bool(value)
        self._refuse(key, "true or false", value)
        return False

    def number(self, key: str) -> float | None:
        """Returns a number, or None."""
        value = self.take(key)
        if isinstance(value, int | float) and not isinstance(value, bool):
            return value
        if value is not None:
            self._refuse(key, "a number", value)
        return None

    def items(self, key: str) -> list[Any]:
        """Returns a list; empty without a value."""
        value = self.take(key)
        if value is None or isinstance(value, list):
            return value or []
        self._refuse(key, "a list", value)
        return []

    def part(self, key: str, kind: str = "") -> Part:
        """Returns a mapping; empty without a value."""
        value = self.take(key)
        if value is not None and not isinstance(value, Mapping):
            self._refuse(key, "a mapping", value)
            value = None
        return Part(self.contract, value or {}, (*self.place, key), kind)

    def parts(self, key: str, kind: str = "") -> Iterator[Part]:
        """Yields the mappings of a list."""
        for index, item in enumerate(self.items(key)):
            place = (*self.place, key, index)
            if isinstance(item, Mapping):
                yield Part(self.contract, item, place, kind)
            else:
                self.contract.wrong(place, f"wanted a mapping, got {shown(item)}")

    def _refuse(self, key: str, wanted: str, value: Any) -> None:
        self.contract.wrong((*self.place, key), f"{key}: wanted {wanted}, got {shown(value)}")

    def wrong(self, key: str, sentence: str) -> None:
        """Adds an error at `key`, or at the mapping itself for ""."""
        self.contract.wrong((*self.place, key) if key else self.place, sentence)

    def note(self, key: str, why: str, what: str | None = None) -> None:
        """Notes that `key` was not converted, and why."""
        self._taken.add(key)
        line = self.contract.yaml.line((*self.place, key) if key else self.place)
        self.contract.notes.append(Note(line, what or key, why))

    def close(self, reasons: Mapping[str, str] | None = None, *, leave: Sequence[str] = ()) -> None:
        """Notes every unused key that has a value."""
        for key, value in self.value.items():
            if key not in self._taken and key not in leave and value not in (None, "", [], {}, False, -1):
                self.note(key, (reasons or {}).get(key, _NOWHERE))
