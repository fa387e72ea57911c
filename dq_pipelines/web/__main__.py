"""Runs the gateway, writes the report page, or prints the API document, for `dq serve`, `dq report --html` and `dq docs`."""

from __future__ import annotations

import argparse
import json
import os
import sys
from pathlib import Path

from dq_pipelines.errors import DqError
from dq_pipelines.security.certificate import Certificate
from dq_pipelines.web.dashboard.report import write
from dq_pipelines.web.dashboard.site import Site
from dq_pipelines.web.middleware.exposure import Exposure
from dq_pipelines.web.middleware.proxies import Proxies


def main() -> None:
    """Run the verb. Expected errors (`DqError`) go to stderr without a traceback, with exit code 2."""
    sys.path.append(str(Path.cwd()))  # YAML names the user's own functions, which lie in the working directory
    arguments = _parser().parse_args()
    try:
        if arguments.verb == "page":
            write(Site.from_environment(), arguments.file, arguments.table)
        elif arguments.verb == "document":
            from dq_pipelines.web.api import routes
            from dq_pipelines.web.api.document import files

            print(json.dumps(files(routes().openapi())))
        else:
            _withhold(arguments.withheld)
            _serve(arguments)
    except DqError as error:
        print(error, file=sys.stderr)
        raise SystemExit(2) from None


def _serve(arguments: argparse.Namespace) -> None:
    from dq_pipelines.web.hosting import Dagster
    from dq_pipelines.web.serving import serve

    certificate = Certificate.checked(arguments.tls_cert, arguments.tls_key)
    exposure = Exposure(arguments.host, arguments.port, certificate, Proxies.parsed(arguments.behind_proxy))
    dagster = None
    if not arguments.no_dagster:
        dagster = Dagster(arguments.workspace, not arguments.no_daemon, arguments.log_level)
    serve(Site.from_environment(hosting=dagster is not None), exposure, dagster)


def _withhold(descriptor: int | None) -> None:
    """Remove the gateway's secrets from the environment; if there are any, restart this program without them.

    Otherwise every run could read them in /proc, which keeps the environment that a program started with.
    """
    from dq_pipelines.config import withheld
    from dq_pipelines.project.gateway_secrets import withhold

    if descriptor is not None:
        withheld.take_over(descriptor)
        return
    withhold()
    if (kept := withheld.hand_over()) is not None:
        command = [sys.executable, "-m", "dq_pipelines.web", *sys.argv[1:], f"--withheld={kept}"]
        os.execv(sys.executable, command)  # noqa: S606 - this same program, with the same arguments


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m dq_pipelines.web", description=__doc__)
    verbs = parser.add_subparsers(dest="verb", required=True)
    serving = verbs.add_parser("serve", help="serve the dashboard on this machine")
    serving.add_argument("--host", default="127.0.0.1")
    serving.add_argument("--port", type=int, default=3001)
    serving.add_argument("--tls-cert", type=Path)
    serving.add_argument("--tls-key", type=Path)
    serving.add_argument("--behind-proxy", default="")
    serving.add_argument("--workspace", type=Path)
    serving.add_argument("--no-dagster", action="store_true")
    serving.add_argument("--no-daemon", action="store_true")
    serving.add_argument("--log-level", choices=["debug", "info", "warning", "error"])
    serving.add_argument("--withheld", type=int, help=argparse.SUPPRESS)
    verbs.add_parser("document", help="print the files that dq docs writes about the REST API, as JSON")
    page = verbs.add_parser("page", help="write the current status of all tables as one self-contained page")
    page.add_argument("file", type=Path)
    page.add_argument("--table", action="append", help="only this table; may be given several times")
    return parser


if __name__ == "__main__":
    main()
