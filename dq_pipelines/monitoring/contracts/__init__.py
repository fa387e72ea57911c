"""Converts data contracts of the Open Data Contract Standard (ODCS v3) to table YAML."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from dq_pipelines.config.yaml_file import read_yaml
from dq_pipelines.errors import ConfigError, nearest
from dq_pipelines.monitoring.contracts.part import Contract, Part
from dq_pipelines.monitoring.contracts.table import (
    columns_of,
    freshness_of,
    names_of,
    owners_of,
    silver_of,
    source_of,
    table_name,
)
from dq_pipelines.monitoring.contracts.yaml_writer import yaml_text

__all__ = ["tables_from_contract"]

_SCHEMA = "yaml-language-server: $schema=../../docs/schema/table.json"
_HEAD = (
    "kind",
    "apiVersion",
    "id",
    "version",
    "status",
    "name",
    "tenant",
    "dataProduct",
    "domain",
    "contractCreatedTs",
)


def tables_from_contract(path: str | Path, schema_object: str | None = None) -> dict[str, str]:
    """Returns the YAML text of each object of the contract (or of the named one), by table name.

    Comments list what could not be converted, with line and reason. Raises ConfigError with all errors in the contract.
    """
    file = read_yaml(Path(path), str(path), literal=True)
    contract = Contract(file, list(file.problems))
    root = _root(contract)
    objects = list(root.parts("schema", "object"))
    names = [str(obj.value.get("name") or "") for obj in objects]
    if not objects:
        contract.wrong(("schema",), "wanted a schema with at least one object, found none")
    for obj, name in zip(objects, names, strict=True):
        if not name:
            obj.wrong("", "an object of the schema needs a name: found none")
    if schema_object is not None and objects and schema_object not in names:
        contract.wrong(("schema",), f"no object '{schema_object}'{nearest(schema_object, names)}")
    tables = {}
    for obj, name in zip(objects, names, strict=True):
        # Each table lists the notes on the whole contract again.
        contract.notes = []
        text = _table(contract, obj, set().union(*map(names_of, objects)))
        if schema_object in (None, name):
            tables[table_name(name)] = text
    if contract.problems:
        unique = dict.fromkeys(contract.problems)
        raise ConfigError(sorted(unique, key=lambda problem: problem.line))
    return tables


def _root(contract: Contract) -> Part:
    value = contract.yaml.value
    version, kind = str(value.get("apiVersion", "v3.1.0")), value.get("kind", "DataContract")
    contract.closed = version.startswith("v3.1")
    if kind != "DataContract":
        contract.wrong(("kind",), f"wanted kind: DataContract, got {kind}")
    if not version.startswith("v3."):
        contract.wrong(("apiVersion",), f"wanted apiVersion v3.0.0 or later of v3, got {version}")
    return Part(contract, value, (), "contract")


def _table(contract: Contract, obj: Part, names: set[str]) -> str:
    """Returns the YAML of one object; `names` are those of all objects."""
    whole = Part(contract, contract.yaml.value, ())
    values = {key: whole.text(key) for key in _HEAD}
    domain = table_name(values["domain"] or values["dataProduct"] or "contracts")
    columns = columns_of(obj)
    source, dialect = source_of(whole, obj, domain)
    fresh = list(freshness_of(whole, obj, columns, names))
    content: dict[str, Any] = {
        "description": obj.text("description") or obj.text("businessName"),
        "owners": owners_of(whole),
        "source": source,
        "silver": silver_of(obj, columns, fresh, dialect),
    }
    head = [
        _SCHEMA,
        *_headline(values, domain, table_name(str(obj.text("name"))), contract.yaml.file),
        *_purposes(whole),
    ]
    obj.close(leave=("physicalName", "logicalType", "physicalType"))
    whole.close(
        {"tags": "a table's tags have names and values", "roles": "the storage of the lake controls who may read"},
        leave=("schema",),
    )
    return yaml_text(head, list(dict.fromkeys(contract.notes)), content)


def _purposes(whole: Part) -> Iterator[str]:
    """Yields the contract's purpose and limitations as comments."""
    if isinstance(whole.value.get("description"), str):
        yield f"description: {' '.join(whole.value['description'].split())}"
        whole.take("description")
        return
    described = whole.part("description")
    for word in ("purpose", "usage", "limitations"):
        if text := described.text(word):
            yield f"{word}: {' '.join(text.split())}"
    described.close()


def _headline(values: dict[str, Any], domain: str, name: str, file: str) -> list[str]:
    words = [values["name"] or values["dataProduct"], values["version"], values["status"], values["id"]]
    return [
        f"Made by `dq suggest --from-contract {Path(file).name}`: {', '.join(word for word in words if word)}.",
        f"Save as assets_config/{domain}/{name}.yaml, look at `source`, and run `dq check`.",
    ]
