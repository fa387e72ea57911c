"""A `dq serve` under load that is started again when it ends, as systemd or compose would; what is killed belongs in `serve_kills`."""

from __future__ import annotations

import http.client
import json
import socket
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from dq_pipelines_tests.chaos.world import World
from dq_pipelines_tests.web.served import api_key, dq, environment
from dq_pipelines_tests.workshop import Workshop

#: Seconds before a gateway that ended is started again, as systemd's `RestartSec=1`.
RESTART = 1.0
#: Seconds between two files of a table.
LANDING = 1.0


@dataclass
class Gateway:
    """One service and its load: a file a second for each table, and a program that has each table run again and again."""

    shop: Workshop
    world: World
    port: int
    key: str
    process: subprocess.Popen[bytes] | None = None
    restarts: int = 0
    launched: int = 0
    ending: threading.Event = field(default_factory=threading.Event)
    #: set when nothing new is to land and nothing to be launched
    quiet: threading.Event = field(default_factory=threading.Event)

    def keep(self) -> None:
        """Start it, and start it again whenever it ends."""
        with (self.shop.root / "serve.log").open("ab") as log:
            while not self.ending.is_set():
                self.process = subprocess.Popen(
                    dq("serve", "--port", str(self.port)),
                    cwd=self.shop.root,
                    env=self.environment,
                    stdout=log,
                    stderr=log,
                )
                self.process.wait()
                if not self.ending.wait(RESTART):
                    self.restarts += 1

    def land(self) -> None:
        while not self.quiet.wait(LANDING):
            self.world.land(self.shop)

    def launch(self, table: str) -> None:
        """Have a table run, and when that has ended again."""
        while not self.quiet.wait(0.5):
            run = self.ask("POST", f"/api/v1/jobs/{table}/execute").get("run_id")
            until = time.monotonic() + 120
            while run and not self.quiet.wait(0.5) and time.monotonic() < until:
                if self.ask("GET", f"/api/v1/runs/{run}").get("status") in ("SUCCESS", "FAILURE", "CANCELED"):
                    break

    def ask(self, method: str, path: str) -> dict[str, object]:
        """The answer, or nothing where there is none: the gateway may have been killed."""
        try:
            connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=20)
            connection.request(method, path, headers={"X-API-Key": self.key})
            answer = connection.getresponse()
            found = json.loads(answer.read())
            self.launched += method == "POST" and answer.status == 202
            connection.close()
        except (OSError, http.client.HTTPException, ValueError):
            return {}
        return found if isinstance(found, dict) else {}

    @property
    def environment(self) -> dict[str, str]:
        return {name: value for name, value in environment(self.shop).items() if name != "DAGSTER_HOME"}


@contextmanager
def under_load(shop: Workshop, world: World) -> Iterator[Gateway]:
    """The service, until the block ends."""
    gateway = Gateway(shop, world, _free_port(), api_key(shop))
    work = [gateway.keep, gateway.land, *((lambda name=name: gateway.launch(name)) for name in world.tables)]
    threads = [threading.Thread(target=each, daemon=True) for each in work]
    for thread in threads:
        thread.start()
    try:
        yield gateway
    finally:
        gateway.quiet.set()
        gateway.ending.set()
        if gateway.process is not None:
            gateway.process.terminate()
        for thread in threads:
            thread.join(60)


def _free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])
