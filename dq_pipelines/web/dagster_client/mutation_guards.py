"""What is done to Dagster's GraphQL schema when it is built: each field that changes something gets a guard of its own.

A resolver is what every way leads to: aliases, fragments and several operations in one document end there. So do REST's
launches, which are asked of the same schema.
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
    """Put a guard around every field of the root type Mutation, also around those that our table does not know."""
    for name, field in object_type(schema, "Mutation").fields.items():
        field.resolve = _guarded(name, MUTATIONS.get(name) or Mutation(name, needs=()), field)


def _guarded(name: str, mutation: Mutation, field: GraphQLField) -> Callable[..., Awaitable[Any]]:
    do: Resolver = field.resolve or default_field_resolver
    refusals = _names_a_refusal(field)

    async def resolve(root: Any, info: GraphQLResolveInfo, **arguments: Any) -> Any:
        context: CallersContext = info.context
        context.why = ""
        if why := _why_not(context, mutation, name, arguments):
            found: Any = _UNAUTHORIZED(why)
            _note(context, mutation, arguments, "refused", why)
        else:
            sign(context, arguments)
            found = await _done(do, root, info, name, arguments)
            for one, its_arguments, answer in _parts(mutation, arguments, found) if mutation.what else ():
                _tell(context, one, its_arguments, answer)
        if _type(found) == "UnauthorizedError" and not refusals:
            raise GraphQLError(found.message)
        return found

    return resolve


def _why_not(context: CallersContext, mutation: Mutation, name: str, arguments: Arguments) -> str:
    """One sentence where this is not for the caller, whatever it is about; else ""."""
    if not mutation.needs:
        return f"nobody may {name} by this gateway, which does not know what it is"
    if not any(may_somewhere(context.caller.user.grants, permission) for permission in mutation.needs):
        return context.rights.why_not(mutation.needs[0])
    if name in ("stopRunningSchedule", "stopSensor"):
        # Dagster asks about the one id and stops by the other.
        found, _, selector = stopped(context, arguments)
        if found is not None and selector not in ("", found.selector_id):
            return f"wanted the ids of one schedule or sensor, got those of two: {found.name} and another"
    return why_not_launched(context, arguments) or why_no_such_range(context, arguments)


async def _done(do: Resolver, root: Any, info: GraphQLResolveInfo, name: str, arguments: Arguments) -> Any:
    context: CallersContext = info.context
    if name == "stopSensor":
        # Dagster asks about the whole code location here, where it asks about the sensor everywhere else.
        found, _, _ = stopped(context, arguments)
        if found is not None and context.may(Permission.SCHEDULE, context.tables_of(selector_of(found))):
            with context.lifting(Permissions.EDIT_SENSOR):
                return await _waited(do(root, info, **arguments))
    answer = await _waited(do(root, info, **arguments))
    if name == "reexecutePartitionBackfill" and _type(answer) == "LaunchBackfillSuccess":
        _sign_backfill(context, answer.backfill_id)
    return answer


def _sign_backfill(context: CallersContext, backfill_id: str) -> None:
    """A backfill that is done again takes over all tags of the one before, its caller's among them."""
    made = context.instance.get_backfill(backfill_id)
    if made is not None:
        others = {key: value for key, value in made.tags.items() if key != USER_TAG}
        context.instance.update_backfill(made._replace(tags=others | context.get_viewer_tags()))


async def _waited(answer: Any) -> Any:
    return await answer if isawaitable(answer) else answer


# --- what is written down ---------------------------------------------------------------------------


def _parts(mutation: Mutation, arguments: Arguments, answer: Any) -> Iterator[tuple[Mutation, Arguments, Any]]:
    """What was asked and answered, one by one where a mutation does several things."""
    if launched := getattr(answer, "launchMultipleRunsResult", None):
        for params, one in zip(arguments["executionParamsList"], launched, strict=True):
            yield MUTATIONS["launchRun"], {"executionParams": params}, one
    elif ended := getattr(answer, "terminateRunResults", None):
        for run_id, one in zip(arguments["runIds"], ended, strict=True):
            yield MUTATIONS["terminateRun"], {"runId": run_id}, one
    else:
        yield mutation, arguments, answer


def _tell(context: CallersContext, mutation: Mutation, arguments: Arguments, answer: Any) -> None:
    """One line for one answer, which also says why where it is a refusal."""
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
    said = str(getattr(answer, "message", "") or kind)
    _note(context, mutation, arguments, "refused" if refused else "failed", said, **more)


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
    told = getattr(answer, "_meta", None)
    return type(answer).__name__ if told is None else str(told.name)


def _names_a_refusal(field: GraphQLField) -> bool:
    kind = get_named_type(field.type)
    return isinstance(kind, GraphQLUnionType) and any(one.name == "UnauthorizedError" for one in kind.types)
