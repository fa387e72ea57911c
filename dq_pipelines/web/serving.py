"""Runs the gateway's HTTP server: for everybody if there are users, else on the loopback address only."""

from __future__ import annotations

import contextlib
import os
import socket
import threading
from collections.abc import Iterator
from contextlib import ExitStack

import uvicorn
from starlette.applications import Starlette

from dq_pipelines.config.database import keep_connections
from dq_pipelines.config.garbage import leave_out_what_there_is
from dq_pipelines.config.settings import Settings
from dq_pipelines.errors import ConfigError, DqError, Problem
from dq_pipelines.security.audit import AuditLog
from dq_pipelines.security.audit_export import Export, exporting
from dq_pipelines.security.certificate import Certificate
from dq_pipelines.security.moving import open_state
from dq_pipelines.uploads.settings import UploadLimits
from dq_pipelines.uploads.staging import Staging
from dq_pipelines.web.app import access_of, application
from dq_pipelines.web.dashboard import Site
from dq_pipelines.web.hosting import Dagster
from dq_pipelines.web.middleware.exposure import Exposure
from dq_pipelines.web.stopping import Stopping
from dq_pipelines.web.warm_up import warm_up

#: Bytes of a WebSocket message from a client at most: enough for a subscription.
_LONGEST_MESSAGE = 1 << 18
#: Seconds between two looks at uploads that nobody saves.
_EXPIRE_SECONDS = 600.0


def serve(site: Site, exposure: Exposure, dagster: Dagster | None) -> None:
    """Serve until interrupted, with Dagster unless `dagster` is None.

    Raises ConfigError for a host that others could reach without protection, a port in use, a missing workspace file, or
    users and keys that others on this machine could read.
    """
    keep_connections()
    AuditLog(open_state(site.state)).check()
    if dagster is not None:
        dagster.target()
    exposure.must_be_safe(has_users=access_of(site).is_on)
    host, port = exposure.host, exposure.port
    try:
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        listening = socket.create_server((host, port), family=family)
    except OSError as error:
        raise _wrong(f"dq serve: wanted to listen on {host}:{port}, got: {os.strerror(error.errno or 0)}") from None
    with listening:
        address, stopping = exposure.address(listening.getsockname()[1]), Stopping()
        print(f"dashboard at {address}/dashboard/ ({exposure.breadth}Ctrl-C ends it)", flush=True)
        with stopping.handling_signals(), contextlib.suppress(KeyboardInterrupt), ExitStack() as stack:
            stack.enter_context(exporting(Export.from_environment(AuditLog(site.state))))
            hosting = stack.enter_context(dagster.running(site)) if dagster else None
            app = application(site, hosting, exposure.proxies)
            if hosting:
                print(f"Dagster's UI at {address}/", flush=True)
            if not app.state.access.is_on:
                once = app.state.access.once
                print(
                    f"there are no users yet; to make changes, open this link, which works once: {address}{once.path}",
                    flush=True,
                )
            leave_out_what_there_is()
            threading.Thread(target=warm_up, args=(app, site), name="warm-up", daemon=True).start()
            threading.Thread(target=expire_uploads, args=(site.closing,), name="uploads", daemon=True).start()
            _Server(config_of(app, exposure.certificate), site.closing, stopping).run(sockets=[listening])


def expire_uploads(closing: threading.Event, every: float = _EXPIRE_SECONDS) -> None:
    """Remove uploads that nobody has saved, until the server closes."""
    while True:
        with contextlib.suppress(DqError, OSError):  # whoever sends a file is told
            Staging.below(Settings.from_environment().landing, UploadLimits.from_environment()).expire()
        if closing.wait(every):
            return


def config_of(app: Starlette, certificate: Certificate | None = None) -> uvicorn.Config:
    """Uvicorn's settings for the app, with TLS if there is a certificate.

    `proxy_headers` is off: Uvicorn would trust proxies on this machine by default, and `middleware.proxies` decides that alone.

    WebSocket messages are not compressed: with 200 watchers of a run, each would be compressed 200 times. `websockets-sansio`
    takes a fifth less CPU than Uvicorn's default, which uses a deprecated interface.
    """
    return uvicorn.Config(
        app,
        log_level="warning",
        timeout_graceful_shutdown=5,
        server_header=False,
        ws_max_size=_LONGEST_MESSAGE,
        ws="websockets-sansio",
        ws_per_message_deflate=False,
        proxy_headers=False,
        ssl_certfile=certificate.chain if certificate else None,
        ssl_keyfile=certificate.key if certificate else None,
    )


class _Server(uvicorn.Server):
    """Ends event streams at shutdown: Uvicorn waits for open answers, and a stream never ends by itself."""

    def __init__(self, config: uvicorn.Config, closing: threading.Event, stopping: Stopping) -> None:
        super().__init__(config)
        self._closing, self._stopping = closing, stopping

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Replace Uvicorn's handler, which raises the signal again after the server has ended, like a second Ctrl-C."""
        with self._stopping.calling(self._end):
            yield

    def _end(self) -> None:
        self._closing.set()
        self.should_exit = True


def _wrong(message: str) -> ConfigError:
    return ConfigError([Problem("", 0, message)])
