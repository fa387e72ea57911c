"""Logs in the audit log which rows Dagster's GraphQL shows to whom, in samples of checks and previews of assets."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from graphql import GraphQLObjectType, GraphQLResolveInfo, GraphQLSchema, default_field_resolver

#: The GraphQL field with rows, and the label of the entry with published rows.
_FIELD, _PREVIEW = "metadataEntries", "preview"
#: Header lines of a Markdown table.
_HEAD = 2


def audit_reads(schema: GraphQLSchema) -> None:
    """Make the metadata of assets and checks report to the request's context how many rows they show."""
    for kind in schema.type_map.values():
        if isinstance(kind, GraphQLObjectType) and {_FIELD, "assetKey"} <= set(kind.fields):
            field = kind.fields[_FIELD]
            field.resolve = _counting(field.resolve or default_field_resolver)


def _counting(before: Callable[..., Any]) -> Callable[..., Any]:
    def resolve(root: Any, info: GraphQLResolveInfo, **arguments: Any) -> Any:
        entries = before(root, info, **arguments)
        samples, previews = _rows(entries)
        on = _on(root)
        if samples:
            info.context.show("read.samples", on, samples)
        if previews:
            info.context.show("read.preview", on, previews)
        return entries

    return resolve


def _rows(entries: Iterable[Any]) -> tuple[int, int]:
    """The number of failing rows and of published rows in these entries."""
    samples = previews = 0
    for entry in entries:
        if (table := getattr(entry, "table", None)) is not None:
            samples += len(table.records)
        elif entry.label == _PREVIEW:
            previews += max(0, len((getattr(entry, "md_str", None) or "").splitlines()) - _HEAD)
    return samples, previews


def _on(root: Any) -> str:
    """The asset and the check: `silver/sales:amount_between`."""
    key = getattr(root, "assetKey", None) or getattr(getattr(root, "_metadata", None), "asset_key", None)
    name = getattr(root, "checkName", None)
    return "/".join(getattr(key, "path", ())) + (f":{name}" if name else "")
