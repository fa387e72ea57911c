"""Wraps every mutation of Dagster's GraphQL schema in a guard that checks permissions and writes the audit log.

The guard is in the resolver, which every request reaches: aliases, fragments, several operations in one document, and
launches of the REST API, which use the same schema.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator
from inspect import isawaitable
from typing import Any

from dagster._core.workspace.permissions import Permissions
from dagster_graphql.schema.errors import GrapheneUnauthorizedError
from graphql import (
    GraphQLError,
    GraphQLField,
    GraphQLResolveInfo,
    GraphQLSchema,
    GraphQLUnionType,
    default_field_resolver,
    get_named_type,
)

from dq_pipelines.orchestration.steps.step import USER_TAG
from dq_pipelines.security.audit import Event
from dq_pipelines.security.roles import Permission, may_somewhere, why_not
from dq_pipelines.web.dagster_client.errors import object_type
from dq_pipelines.web.dagster_client.launch_tags import sign, why_no_such_range, why_not_launched
from dq_pipelines.web.dagster_client.mutations import DONE, MUTATIONS, Arguments, Mutation, selector_of, stopped
from dq_pipelines.web.dagster_client.rights import CallersContext

Resolver = Callable[..., Any]

_UNAUTHORIZED: Callable[[str], Any] = GrapheneUnauthorizedError


def guard_mutations(schema: GraphQLSchema) -> None:
    """Guard every field of the root type Mutation, even those that are not in `MUTATIONS`."""
    for name, field in object_type(schema, "Mutation").fields.items():
        field.resolve = _guarded(name, MUTATIONS.get(name) or Mutation(name, needs=()), field)


def _guarded(name: str, mutation: Mutation, field: GraphQLField) -> Callable[..., Awaitable[Any]]:
    do: Resolver = field.resolve or default_field_resolver
    has_refusal_type = _has_refusal_type(field)

    async def resolve(root: Any, info: GraphQLResolveInfo, **arguments: Any) -> Any:
        context: CallersContext = info.context
        context.why = ""
        if why := _why_not(context, mutation, name, arguments):
            result: Any = _UNAUTHORIZED(why)
            _note(context, mutation, arguments, "refused", why)
        else:
            sign(context, arguments)
            result = await _done(do, root, info, name, arguments)
            for one, its_arguments, answer in _parts(mutation, arguments, result) if mutation.what else ():
                _log_outcome(context, one, its_arguments, answer)
        if _type(result) == "UnauthorizedError" and not has_refusal_type:
            raise GraphQLError(result.message)
        return result

    return resolve


def _why_not(context: CallersContext, mutation: Mutation, name: str, arguments: Arguments) -> str:
    """A sentence if the caller may not do this on any table; else ""."""
    if not mutation.needs:
        return f"{name} is not allowed: this gateway does not know the mutation"
    if not any(may_somewhere(context.caller.user.grants, permission) for permission in mutation.needs):
        return context.rights.why_not(mutation.needs[0])
    if name in ("stopRunningSchedule", "stopSensor"):
        # Dagster checks the one id and stops by the other.
        found, _, selector = stopped(context, arguments)
        if found is not None and selector not in ("", found.selector_id):
            return f"wanted the ids of one schedule or sensor, got those of two: {found.name} and another"
    return why_not_launched(context, arguments) or why_no_such_range(context, arguments)


async def _done(do: Resolver, root: Any, info: GraphQLResolveInfo, name: str, arguments: Arguments) -> Any:
    context: CallersContext = info.context
    if name == "stopSensor":
        # Dagster checks the whole code location here, but the sensor everywhere else.
        found, _, _ = stopped(context, arguments)
        if found is not None and context.may(Permission.SCHEDULE, context.tables_of(selector_of(found))):
            with context.lifting(Permissions.EDIT_SENSOR):
                return await _waited(do(root, info, **arguments))
    answer = await _waited(do(root, info, **arguments))
    if name == "reexecutePartitionBackfill" and _type(answer) == "LaunchBackfillSuccess":
        _sign_backfill(context, answer.backfill_id)
    return answer


def _sign_backfill(context: CallersContext, backfill_id: str) -> None:
    """Set the caller's name on a re-executed backfill, which copies all tags of the previous one."""
    made = context.instance.get_backfill(backfill_id)
    if made is not None:
        others = {key: value for key, value in made.tags.items() if key != USER_TAG}
        context.instance.update_backfill(made._replace(tags=others | context.get_viewer_tags()))


async def _waited(answer: Any) -> Any:
    return await answer if isawaitable(answer) else answer


# --- audit log --------------------------------------------------------------------------------------


def _parts(mutation: Mutation, arguments: Arguments, answer: Any) -> Iterator[tuple[Mutation, Arguments, Any]]:
    """The mutation with its arguments and answer; if it does several things, each of them."""
    if launched := getattr(answer, "launchMultipleRunsResult", None):
        for params, one in zip(arguments["executionParamsList"], launched, strict=True):
            yield MUTATIONS["launchRun"], {"executionParams": params}, one
    elif ended := getattr(answer, "terminateRunResults", None):
        for run_id, one in zip(arguments["runIds"], ended, strict=True):
            yield MUTATIONS["terminateRun"], {"runId": run_id}, one
    else:
        yield mutation, arguments, answer


def _log_outcome(context: CallersContext, mutation: Mutation, arguments: Arguments, answer: Any) -> None:
    """Log the outcome of one mutation; a refusal's answer gets the reason."""
    kind, run = _type(answer), getattr(answer, "run", None)
    more = {"run": run.run_id} if run is not None else {}
    if backfill := getattr(answer, "backfill_id", None):
        more["backfill"] = backfill
    if kind in DONE:
        _note(context, mutation, arguments, "done", **more)
        return
    refused = kind == "UnauthorizedError" or bool(context.why)
    if refused and hasattr(answer, "message"):
        answer.message = context.why or why_not(context.caller.user.grants, mutation.needs[0])
    why = str(getattr(answer, "message", "") or kind)
    _note(context, mutation, arguments, "refused" if refused else "failed", why, **more)


def _note(
    context: CallersContext, mutation: Mutation, arguments: Arguments, result: str, why: str = "", **more: str
) -> None:
    if why:
        more["why"] = why.partition("\n")[0][:500]
    caller, on = context.caller, mutation.on(context, arguments)
    context.log.add(Event(caller.user.name, mutation.what, on, caller.source, result, more))


def _type(answer: Any) -> str:
    if isinstance(answer, bool):
        return "Boolean"
    meta = getattr(answer, "_meta", None)
    return type(answer).__name__ if meta is None else str(meta.name)


def _has_refusal_type(field: GraphQLField) -> bool:
    kind = get_named_type(field.type)
    return isinstance(kind, GraphQLUnionType) and any(one.name == "UnauthorizedError" for one in kind.types)
