"""Dagster's web server with the gateway's checks on its routes and on GraphQL over HTTP and WebSocket."""

from __future__ import annotations

import json
from typing import Any

from dagster_webserver.webserver import DagsterWebserver
from graphql import GraphQLError, GraphQLSchema, OperationType, validate
from starlette.requests import ClientDisconnect, Request
from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.routing import BaseRoute, Mount, Route, WebSocketRoute
from starlette.websockets import WebSocket

from dq_pipelines.security.roles import Permission, may
from dq_pipelines.web.auth.access import LOCAL, caller_of
from dq_pipelines.web.auth.reader import bar_of
from dq_pipelines.web.dagster_client.deadline import DeadlineExceeded, deadline_message, end_when_late, in_time
from dq_pipelines.web.dagster_client.mutation_guards import guard_mutations
from dq_pipelines.web.dagster_client.page_bar import is_page, with_bar
from dq_pipelines.web.dagster_client.permission_fields import answer_by_tables
from dq_pipelines.web.dagster_client.query_limits import asks_for_the_schema, document_of, operations
from dq_pipelines.web.dagster_client.read_audit import audit_reads
from dq_pipelines.web.dagster_client.rights import CallersContext, CallersProcess
from dq_pipelines.web.dagster_client.route_permissions import ROUTES, is_own_origin
from dq_pipelines.web.navigation import CONSOLE, DAGSTER

#: Authors of tables and runs write descriptions and metadata in Markdown: an image in it would reveal viewers to its server.
_NO_OTHER_SITES = (
    "img-src 'self' data: blob:; media-src 'self'; font-src 'self' data:; connect-src 'self'; frame-src 'self'; "
    "worker-src 'self' blob:; manifest-src 'self'"
)


class CallersServer(DagsterWebserver[CallersProcess, CallersContext]):
    """Dagster's web server with each caller's permissions."""

    def build_graphql_schema(self) -> Any:
        made = super().build_graphql_schema()
        guard_mutations(made.graphql_schema)
        answer_by_tables(made.graphql_schema)
        audit_reads(made.graphql_schema)
        end_when_late(made.graphql_schema)
        return made

    @property
    def schema(self) -> GraphQLSchema:
        """The GraphQL schema with its guards."""
        schema: GraphQLSchema = self._graphene_schema.graphql_schema
        return schema

    def build_routes(self) -> list[BaseRoute]:
        """The known routes of Dagster: its static files, its pages, and those in `ROUTES`."""
        made: list[BaseRoute] = super().build_routes()  # type: ignore[no-untyped-call]
        return [route for route in made if is_known(route)]

    def make_csp_header(self, nonce: str) -> str:
        return f"{super().make_csp_header(nonce).rstrip('; ')}; {_NO_OTHER_SITES}; frame-ancestors 'self'; form-action 'self'"

    def index_html_endpoint(self, request: Request) -> HTMLResponse:
        """Dagster's page with the console's bar; 404 for an address that is no page of Dagster."""
        page: HTMLResponse = super().index_html_endpoint(request)
        console = f"{request.scope.get('app_root_path', '')}{CONSOLE}"
        bar = bar_of(request.scope, console, dagster="", hosts_dagster=True, current=DAGSTER)
        text = with_bar(bytes(page.body).decode(), bar, bar.stylesheet)
        headers = {"Content-Security-Policy": page.headers["Content-Security-Policy"], "Cache-Control": "no-store"}
        return HTMLResponse(text, 200 if is_page(request.url.path) else 404, headers)

    # --- over HTTP ----------------------------------------------------------------------------------

    async def graphql_http_endpoint(self, request: Request) -> Response:
        if request.method == "GET" and "text/html" in request.headers.get("accept", ""):
            page: HTMLResponse = await super().graphql_http_endpoint(request)
            return page
        if request.method == "GET":
            asked: Any = dict(request.query_params)
        elif (kind := request.headers.get("content-type", "").partition(";")[0].strip().lower()) != "application/json":
            # Another site can make a browser send text, but not JSON.
            return _error(415, f"wanted a body of application/json, got {kind or 'none'}")
        else:
            try:
                asked = json.loads(await request.body())
            except (ValueError, RecursionError):
                return _error(400, "wanted a body of JSON, got something else")
            except ClientDisconnect:  # nobody waits for an answer
                return _error(400, "the request ended before its body")
        try:
            query, variables, name = _parts(asked)
            document = document_of(query)
        except (ValueError, RecursionError) as error:
            return _error(400, str(error) if isinstance(error, ValueError) else "the query's variables are too deep")
        except GraphQLError as error:
            return _error(400, error.message)
        if request.method == "GET" and operations(document) != {OperationType.QUERY}:
            return _error(405, "wanted a query: mutations are sent by POST, as application/json", Allow="POST")
        if asks_for_the_schema(document) and not self._is_admin(request):
            return _error(403, "introspection is for admins only")
        if operations(document) != {OperationType.QUERY}:
            # Mutations have no deadline: otherwise the caller would not know their outcome.
            return await self.execute_graphql_request(request, query, variables, name)
        try:
            return await in_time(lambda: self.graphql_execution_thread(request, query, variables, name))
        except DeadlineExceeded:
            return _error(504, deadline_message())

    # --- over WebSocket -----------------------------------------------------------------------------

    async def graphql_ws_endpoint(self, websocket: WebSocket) -> None:
        if not is_own_origin(websocket.headers):
            await websocket.close(1008, "wanted a page of this site")
            return
        try:
            await super().graphql_ws_endpoint(websocket)
        except (AttributeError, KeyError, TypeError, ValueError):  # no message of the protocol
            await websocket.close(1003, "wanted messages of graphql-ws")

    async def execute_graphql_subscription(
        self, websocket: WebSocket, operation_id: str, query: str, variables: Any, operation_name: str | None
    ) -> tuple[Any, Any]:
        try:
            document = document_of(query)
        except GraphQLError as error:
            return None, error.formatted
        if operations(document) != {OperationType.SUBSCRIPTION}:
            return None, {"message": "wanted a subscription: queries and mutations are sent by POST"}
        if asks_for_the_schema(document):
            return None, {"message": "introspection is for admins only, by POST"}
        if wrong := validate(self.schema, document):
            return None, wrong[0].formatted
        found: tuple[Any, Any] = await super().execute_graphql_subscription(
            websocket, operation_id, query, variables, operation_name
        )
        return found

    def _is_admin(self, request: Request) -> bool:
        caller = caller_of(request.scope) or LOCAL
        return may(caller.user.grants, Permission.ADMIN)


def is_known(route: BaseRoute) -> bool:
    """Whether this is a known route of Dagster."""
    if isinstance(route, Route | Mount) and (route.name or "").endswith(("root_static", "_static")):
        return True
    return isinstance(route, Route | WebSocketRoute) and route.path in ROUTES


def _parts(asked: Any) -> tuple[str, dict[str, Any] | None, str | None]:
    """A request's query, variables and operation name. Raises ValueError for an invalid request."""
    if not isinstance(asked, dict) or not isinstance(asked.get("query"), str):
        raise ValueError("wanted an object with the text `query`, got something else")
    variables, name = asked.get("variables"), asked.get("operationName")
    if isinstance(variables, str):
        variables = json.loads(variables) if variables else None
    if not isinstance(variables, dict | None) or not isinstance(name, str | None):
        raise ValueError("wanted `variables` as an object and `operationName` as a text, got something else")
    return asked["query"], variables, name


def _error(status: int, message: str, **headers: str) -> JSONResponse:
    """An error answer in GraphQL's shape, which Dagster's UI shows."""
    return JSONResponse({"data": None, "errors": [{"message": message}]}, status, headers)
