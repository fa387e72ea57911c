"""Runs Dagster's daemon, and ends it when the gateway that started it ends.

It runs as `python -m dq_pipelines.web.dagster_client.daemon_child FD …`. Dagster's own --shutdown-pipe waits for a message on
the pipe, and ignores its end: a killed gateway sends no message.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
import time

from dagster._daemon.cli import main as daemon

from dq_pipelines.web.dagster_client.log_lines import one_line_per_event

#: Seconds to end after an interrupt.
_PATIENCE = 20


def main() -> None:
    """Run the daemon with the arguments after the pipe's descriptor."""
    threading.Thread(target=_end_with, args=(int(sys.argv[1]),), daemon=True).start()
    sys.argv[1:] = sys.argv[2:]
    with one_line_per_event(sys.argv[sys.argv.index("--log-level") + 1]):
        daemon()


def _end_with(pipe: int) -> None:
    os.read(pipe, 1)  # nothing is ever written: it returns when the other end closes
    os.kill(os.getpid(), signal.SIGINT)
    time.sleep(_PATIENCE)
    os._exit(1)


if __name__ == "__main__":
    main()
