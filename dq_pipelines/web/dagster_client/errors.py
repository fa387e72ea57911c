"""What goes wrong with Dagster: it refused, could not, or is not what this package takes it for."""

from __future__ import annotations

from graphql import GraphQLObjectType, GraphQLSchema

from dq_pipelines.errors import DqError


class DagsterError(DqError):
    """Dagster refused what was asked of it, or could not do it."""


def object_type(schema: GraphQLSchema, name: str) -> GraphQLObjectType:
    """A type of Dagster's GraphQL; raises DagsterError where a new Dagster has none of this name."""
    found = schema.type_map.get(name)
    if not isinstance(found, GraphQLObjectType):
        raise DagsterError(f"Dagster's GraphQL: wanted a type {name}, found none")
    return found
