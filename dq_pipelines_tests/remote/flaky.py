"""A network that fails: a proxy before a real server, which can be taken away and cut off in the midst of an answer.

It is a process of its own, told by lines what to do: some libraries wait for an answer with Python's lock in hand.
"""

from __future__ import annotations

import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field


@dataclass
class Proxy:
    """The proxy as a test sees it; it is up at first."""

    process: subprocess.Popen[str]
    address: str

    def up(self) -> None:
        """Listen again, on the same port."""
        self._tell("up")

    def down(self) -> None:
        """Refuse whoever comes, and leave whoever is there."""
        self._tell("down")

    def cut(self, after: int, times: int = 1) -> None:
        """End the next answers of more than so many bytes there."""
        self._tell(f"cut {after} {times}")

    @property
    def cuts_left(self) -> int:
        return int(self._tell("cuts"))

    def _tell(self, line: str) -> str:
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write(line + "\n")
        self.process.stdin.flush()
        return self.process.stdout.readline().strip()


@contextmanager
def before(address: str) -> Iterator[Proxy]:
    """A proxy before the server at an address."""
    host, _, port = address.removeprefix("http://").partition(":")
    command = [sys.executable, "-m", __name__, host, port]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True) as process:
        try:
            assert process.stdout is not None
            yield Proxy(process, f"http://127.0.0.1:{process.stdout.readline().strip()}")
        finally:
            process.terminate()


@dataclass
class _Passing:
    target: tuple[str, int]
    port: int = 0
    cut_after: int = 0
    cuts: int = 0
    listener: socket.socket | None = None
    live: list[socket.socket] = field(default_factory=list)

    def up(self) -> None:
        listener = socket.socket()
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(("127.0.0.1", self.port))
        listener.listen()
        self.port, self.listener = listener.getsockname()[1], listener
        threading.Thread(target=self.accept, args=(listener,), daemon=True).start()

    def down(self) -> None:
        if self.listener is not None:
            _close(self.listener)
            self.listener = None
        while self.live:
            _close(self.live.pop())

    def accept(self, listener: socket.socket) -> None:
        while True:
            try:
                client, _ = listener.accept()
            except OSError:
                return
            server = socket.create_connection(self.target)
            self.live += [client, server]
            threading.Thread(target=self.pass_on, args=(client, server, False), daemon=True).start()
            threading.Thread(target=self.pass_on, args=(server, client, True), daemon=True).start()

    def pass_on(self, source: socket.socket, sink: socket.socket, answers: bool) -> None:
        passed = 0
        with suppress(OSError):
            while data := source.recv(65_536):
                passed += len(data)
                if answers and self.cuts > 0 and passed > self.cut_after:
                    self.cuts -= 1
                    break
                sink.sendall(data)
        _close(source)
        _close(sink)


def _close(one: socket.socket) -> None:
    with suppress(OSError):
        one.shutdown(socket.SHUT_RDWR)
    one.close()


def _answer(number: int) -> None:
    sys.stdout.write(f"{number}\n")
    sys.stdout.flush()


def _serve(host: str, port: str) -> None:
    passing = _Passing((host, int(port)))
    passing.up()
    _answer(passing.port)
    for line in sys.stdin:
        match line.split():
            case ["up"]:
                passing.up()
            case ["down"]:
                passing.down()
            case ["cut", after, times]:
                passing.cut_after, passing.cuts = int(after), int(times)
        _answer(passing.cuts)


if __name__ == "__main__":
    _serve(*sys.argv[1:])
