"""Completes the OpenAPI document with security schemes and error answers, and renders its routes as a table."""

from __future__ import annotations

import json
from collections.abc import Collection
from typing import Any

from fastapi import FastAPI

from dq_pipelines.web.problem_details import ProblemDetails, problems

#: Any one of these authenticates a request.
_SCHEMES: dict[str, dict[str, str]] = {
    "key": {"type": "apiKey", "in": "header", "name": "X-API-Key", "description": "An API key (`dq key add`)."},
    "token": {"type": "http", "scheme": "bearer", "description": "A token of `/api/v1/auth/token`, or an API key."},
    "session": {"type": "apiKey", "in": "cookie", "name": "dq_session", "description": "A browser that has logged in."},
}


def describe(app: FastAPI, without_login: Collection[str]) -> None:
    """Complete the app's document with what FastAPI does not know. The paths `without_login` need no authentication."""
    generated = app.openapi

    def document() -> dict[str, Any]:
        if app.openapi_schema is None:
            app.openapi_schema = _completed(generated(), without_login)
        return app.openapi_schema

    app.openapi = document  # type: ignore[method-assign]


def _completed(document: dict[str, Any], without_login: Collection[str]) -> dict[str, Any]:
    components = document.setdefault("components", {})
    schemas = components.setdefault("schemas", {})
    for name in ("HTTPValidationError", "ValidationError"):
        schemas.pop(name, None)
    schemas["ProblemDetails"] = ProblemDetails.model_json_schema(ref_template="#/components/schemas/{model}")
    components["securitySchemes"] = _SCHEMES
    document["security"] = [{name: []} for name in _SCHEMES]
    shape = problems(422)[422]
    for path, operations in document["paths"].items():
        for operation in operations.values():
            if path in without_login:
                operation["security"] = []
            if "422" in operation.get("responses", {}):
                operation["responses"]["422"] = shape
            if "requestBody" in operation:
                operation["responses"].setdefault("400", problems(400)[400])
            for parameter in operation.get("parameters", ()):
                parameter["schema"] = _never_null(parameter["schema"])
    return document


def _never_null(schema: dict[str, Any]) -> dict[str, Any]:
    """Remove null from a parameter's types: a query parameter is present or absent, and the text `null` is no null."""
    kinds = [one for one in schema.get("anyOf", ()) if one != {"type": "null"}]
    rest = {name: said for name, said in schema.items() if name != "anyOf"}
    return {**kinds[0], **rest} if len(kinds) == 1 else schema


def files(document: dict[str, Any]) -> dict[str, str]:
    """The files that `dq docs` writes, by name: the document, and a table of its routes."""
    return {"openapi.json": json.dumps(document, indent=1, ensure_ascii=False) + "\n", "rest.md": _page(document)}


_ABOUT = """# Routes of the REST API

Written by `dq docs`; do not edit. Parameters and answers, with examples: [openapi.json](openapi.json), which the server serves
at `/api/openapi.json`. Authentication, paging and errors: [the gateway](gateway.md)."""


def _page(document: dict[str, Any]) -> str:
    lines = [_ABOUT]
    tags: dict[str, list[str]] = {}
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            answers = ", ".join(sorted(status for status in operation["responses"] if status < "400"))
            line = f"| `{method.upper()} {path}` | {operation['summary']} | {answers} |"
            tags.setdefault(operation["tags"][0], []).append(line)
    for tag in sorted(tags):
        lines += ["", f"## {tag}", "", "| route | what it does | answers |", "|---|---|---|", *tags[tag]]
    return "\n".join([*lines, ""])
