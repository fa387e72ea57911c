"""Limits the size of a GraphQL document, before it is validated or run, since that costs too.

Dagster's own UI stays well below the limits, as a test with its recorded queries shows.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from graphql import (
    DocumentNode,
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    GraphQLError,
    InlineFragmentNode,
    OperationDefinitionNode,
    OperationType,
    SelectionSetNode,
    parse,
)

#: Tokens of a document.
MOST_TOKENS = 8_000
#: Nesting depth of brackets.
MOST_NESTED = 60
#: Nesting depth of fields, with fragments expanded.
DEEPEST = 40
#: Fields in total, with fragments expanded.
MOST_FIELDS = 20_000
#: Mutations in one request, and aliases of one field in one selection.
MOST_CHANGES = 20
MOST_ALIASES = 50


@dataclass(frozen=True)
class _Size:
    depth: int
    fields: int


def document_of(query: str) -> DocumentNode:
    """Parse the query. Raises GraphQLError for one that exceeds the limits."""
    depth = deepest = 0
    for letter in query:
        if letter in "{[(":
            depth += 1
            deepest = max(deepest, depth)
        elif letter in "}])":
            depth -= 1
    if deepest > MOST_NESTED:
        raise GraphQLError(f"wanted a query with brackets nested at most {MOST_NESTED} deep, got {deepest}")
    document = parse(query, max_tokens=MOST_TOKENS)
    _Measure(document).check()
    return document


def operations(document: DocumentNode) -> set[OperationType]:
    """The types of the document's operations."""
    return {one.operation for one in document.definitions if isinstance(one, OperationDefinitionNode)}


def asks_for_the_schema(document: DocumentNode) -> bool:
    """Whether any part of the document is an introspection query."""
    return any(
        name in ("__schema", "__type")
        for one in document.definitions
        if isinstance(one, OperationDefinitionNode | FragmentDefinitionNode)
        for name in _names(one.selection_set)
    )


class _Measure:
    """The size of a document. Each fragment is measured once, so that measuring stays cheap."""

    def __init__(self, document: DocumentNode) -> None:
        self._document = document
        self._fragments: Mapping[str, FragmentDefinitionNode] = {
            one.name.value: one for one in document.definitions if isinstance(one, FragmentDefinitionNode)
        }
        self._known: dict[str, _Size] = {}

    def check(self) -> None:
        for one in self._document.definitions:
            if not isinstance(one, OperationDefinitionNode):
                continue
            size = self._size(one.selection_set, frozenset())
            if size.depth > DEEPEST:
                raise GraphQLError(f"wanted a query with fields nested at most {DEEPEST} deep, got {size.depth}")
            if size.fields > MOST_FIELDS:
                raise GraphQLError(f"wanted a query of at most {MOST_FIELDS} fields, got {size.fields}")
            if one.operation is OperationType.MUTATION and self._roots(one.selection_set) > MOST_CHANGES:
                raise GraphQLError(f"wanted at most {MOST_CHANGES} mutations in one request")

    def _size(self, selected: SelectionSetNode | None, within: frozenset[str]) -> _Size:
        if selected is None:
            return _Size(0, 0)
        depth = fields = 0
        seen: dict[str, int] = {}
        for one in selected.selections:
            if isinstance(one, FieldNode):
                seen[one.name.value] = seen.get(one.name.value, 0) + 1
                if seen[one.name.value] > MOST_ALIASES:
                    raise GraphQLError(
                        f"wanted the field '{one.name.value}' at most {MOST_ALIASES} times in one selection"
                    )
                inner = self._size(one.selection_set, within)
                inner = _Size(inner.depth + 1, inner.fields + 1)
            elif isinstance(one, InlineFragmentNode):
                inner = self._size(one.selection_set, within)
            else:
                inner = self._fragment(one, within) if isinstance(one, FragmentSpreadNode) else _Size(0, 0)
            depth, fields = max(depth, inner.depth), fields + inner.fields
        return _Size(depth, fields)

    def _fragment(self, spread: FragmentSpreadNode, within: frozenset[str]) -> _Size:
        name = spread.name.value
        if name in within or name not in self._fragments:
            return _Size(0, 0)  # validation refuses it
        if name not in self._known:
            self._known[name] = self._size(self._fragments[name].selection_set, within | {name})
        return self._known[name]

    def _roots(self, selected: SelectionSetNode) -> int:
        return sum(
            1 if isinstance(one, FieldNode) else self._size(SelectionSetNode(selections=(one,)), frozenset()).fields
            for one in selected.selections
        )


def _names(selected: SelectionSetNode | None) -> list[str]:
    found: list[str] = []
    for one in selected.selections if selected else ():
        if isinstance(one, FieldNode):
            found.append(one.name.value)
        if isinstance(one, FieldNode | InlineFragmentNode):
            found += _names(one.selection_set)
    return found
