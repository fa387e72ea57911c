"""`python -m dq_pipelines.web`: this room's own door, since `cli` must not import it. `dq serve`, `dq report --html` and `dq docs` open it."""

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
    """Serve, or write one page. What dq_pipelines says on purpose goes to stderr, without a traceback, and exit is 2."""
    sys.path.append(str(Path.cwd()))  # functions of the user's own that YAML names
    asked = _parser().parse_args()
    try:
        if asked.verb == "page":
            write(Site.from_environment(), asked.file, asked.table)
        elif asked.verb == "document":
            from dq_pipelines.web.api import routes
            from dq_pipelines.web.api.document import files

            print(json.dumps(files(routes().openapi())))
        else:
            _withhold(asked.withheld)
            _serve(asked)
    except DqError as error:
        print(error, file=sys.stderr)
        raise SystemExit(2) from None


def _serve(asked: argparse.Namespace) -> None:
    from dq_pipelines.web.hosting import Dagster
    from dq_pipelines.web.serving import serve

    certificate = Certificate.checked(asked.tls_cert, asked.tls_key)
    exposure = Exposure(asked.host, asked.port, certificate, Proxies.parsed(asked.behind_proxy))
    dagster = Dagster(asked.workspace, not asked.no_daemon, asked.log_level) if not asked.no_dagster else None
    serve(Site.from_environment(hosting=dagster is not None), exposure, dagster)


def _withhold(descriptor: int | None) -> None:
    """Take the gateway's secrets out of the environment; where there are some, begin anew in this process without them.

    Else every run could read them in /proc, where the environment stays as it was when a program began.
    """
    from dq_pipelines.config import withheld
    from dq_pipelines.project.gateway_secrets import withhold

    if descriptor is not None:
        withheld.take_over(descriptor)
        return
    withhold()
    if (kept := withheld.hand_over()) is not None:
        command = [sys.executable, "-m", "dq_pipelines.web", *sys.argv[1:], f"--withheld={kept}"]
        os.execv(sys.executable, command)  # noqa: S606 - this very program, by the words it was called with


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
    verbs.add_parser("document", help="print what dq docs writes of the REST API, by file, as JSON")
    page = verbs.add_parser("page", help="write today's standing as one page that needs nothing else")
    page.add_argument("file", type=Path)
    page.add_argument("--table", action="append", help="only this table; may stand several times")
    return parser


if __name__ == "__main__":
    main()
