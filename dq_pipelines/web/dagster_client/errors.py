"""The error of Dagster's GraphQL, and a lookup of its types that raises it."""

from __future__ import annotations

from graphql import GraphQLObjectType, GraphQLSchema

from dq_pipelines.errors import DqError


class DagsterError(DqError):
    """Dagster refused or failed to do what it was asked."""


def object_type(schema: GraphQLSchema, name: str) -> GraphQLObjectType:
    """An object type of Dagster's GraphQL schema. Raises DagsterError if this version of Dagster has none of this name."""
    kind = schema.type_map.get(name)
    if not isinstance(kind, GraphQLObjectType):
        raise DagsterError(f"Dagster's GraphQL: wanted a type {name}, found none")
    return kind
