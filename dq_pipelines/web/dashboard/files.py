"""Serves styles and scripts: the package's own, Plotly's from its Python package, Swagger UI's from fastapi-offline, and the schema of YAML.

A file's address contains its checksum, so browsers cache it forever. Nothing is loaded from other sites.
"""

from __future__ import annotations

import gzip
import hashlib
import importlib.util
import json
import re
from functools import cache
from importlib.resources import files
from pathlib import Path

from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response

from dq_pipelines.project.schema import schemas

_KINDS = {"css": "text/css; charset=utf-8", "js": "text/javascript; charset=utf-8", "json": "application/json"}
_OWN = (
    "dashboard.css",
    "bar.css",
    "dashboard.js",
    "actions.js",
    "run.js",
    "quarantine.js",
    "plotly.css",
    "api.js",
    "api.css",
    "editor.css",
    "yaml_schema.js",
    "yaml_place.js",
    "yaml_editor.js",
    "upload_views.js",
    "new_pipeline.js",
    "job_trial.js",
    "dry_run.js",
)
PLOTLY = "plotly.min.js"
#: The JSON Schema of a table's YAML, as `dq schema` writes it.
SCHEMA = "table-schema.json"
#: File -> the package that brings it, and the folder in that package.
_OTHERS = {
    PLOTLY: ("plotly", "package_data"),
    "swagger-ui-bundle.js": ("fastapi_offline", "static"),
    "swagger-ui.css": ("fastapi_offline", "static"),
}


@cache
def content(name: str) -> bytes:
    """A file's bytes."""
    if name == SCHEMA:
        return json.dumps(schemas()["table.json"], separators=(",", ":")).encode()
    if name in _OTHERS:
        package, folder = _OTHERS[name]
        # Located and not imported: importing Plotly takes half a second, and only its script is needed.
        found = importlib.util.find_spec(package)
        if found is None or found.origin is None:
            raise FileNotFoundError(f"the package {package}, which has {name}")
        return (Path(found.origin).parent / folder / name).read_bytes()
    return (files("dq_pipelines.web.dashboard") / "static" / name).read_bytes()


@cache
def compressed(name: str) -> bytes:
    """The file compressed by gzip, once: Plotly's 4.8 MB become a third."""
    return gzip.compress(content(name), 9, mtime=0)


@cache
def plotly_styles() -> str:
    """The id of a style for maps that Plotly adds to a page without an element of this id; "" for none.

    The page's policy would block the style, and the browser would log an error on every page.
    """
    match = re.search(rb'document\.getElementById\("([0-9a-f]{32,64})"\)', content(PLOTLY))
    return match[1].decode() if match else ""


class _Versioned(dict[str, str]):
    """Name -> name with a checksum, computed at first use."""

    def __missing__(self, name: str) -> str:
        stem, _, kind = name.rpartition(".")
        self[name] = f"{stem}.{hashlib.sha256(content(name)).hexdigest()[:12]}.{kind}"
        return self[name]


VERSIONED = _Versioned()


def served(request: Request) -> Response:
    """The file of this versioned address. A plain name is answered too, for pages that do not know the checksum."""
    asked = request.path_params["name"]
    name = next((name for name in (*_OWN, *_OTHERS, SCHEMA) if asked in (name, VERSIONED[name])), None)
    if name is None:
        return PlainTextResponse("There is no such file.", 404)
    age = "max-age=31536000, immutable" if asked != name else "max-age=300"
    headers = {"Cache-Control": f"public, {age}", "Vary": "Accept-Encoding"}
    packed = "gzip" in request.headers.get("accept-encoding", "")
    body = compressed(name) if packed else content(name)
    if packed:
        headers["Content-Encoding"] = "gzip"
    return Response(body, media_type=_KINDS[name.rpartition(".")[2]], headers=headers)
