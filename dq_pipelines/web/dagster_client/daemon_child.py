"""`python -m dq_pipelines.web.dagster_client.daemon_child FD …`: Dagster's daemon, which ends when whoever started it does.

Dagster's own --shutdown-pipe takes a word for an end, and no end of the pipe: a gateway that is killed outright says no word.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
import time

from dagster._daemon.cli import main as daemon

from dq_pipelines.web.dagster_client.log_lines import one_line_an_event

#: Seconds to end in, once asked.
_PATIENCE = 20


def main() -> None:
    """Run the daemon with the arguments after the pipe's number."""
    threading.Thread(target=_end_with, args=(int(sys.argv[1]),), daemon=True).start()
    sys.argv[1:] = sys.argv[2:]
    with one_line_an_event(sys.argv[sys.argv.index("--log-level") + 1]):
        daemon()


def _end_with(pipe: int) -> None:
    os.read(pipe, 1)  # nothing is ever written: it returns when the other end is closed, in whatever way
    os.kill(os.getpid(), signal.SIGINT)
    time.sleep(_PATIENCE)
    os._exit(1)


if __name__ == "__main__":
    main()
