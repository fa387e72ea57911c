"""Tunnels through a real SSH server: rows arrive, each failure is one sentence, and no secret is told anywhere."""

from __future__ import annotations

import gc
import logging
import os
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import dagster as dg
import polars as pl
import pytest
import sqlalchemy as sa

from dq_pipelines.databases.connections import Connection
from dq_pipelines.databases.postgresql import PostgresSession
from dq_pipelines.databases.ssh import OpenTunnel
from dq_pipelines.errors import SourceError, Transient
from dq_pipelines.project import load_project
from dq_pipelines.sources.postgres import PostgresSource
from dq_pipelines_tests.databases.ssh_server import (
    TLS_REQUEST,
    USER,
    SshServer,
    TlsFront,
    new_key,
    ssh_server,
    tcp_postgres,
)
from dq_pipelines_tests.workshop import Workshop

pytestmark = pytest.mark.slow

PASSWORD, PASSPHRASE = "planted-password", "planted-passphrase"

ORDERS = """
    source: {type: postgres, connection: shop, table: orders, INCREMENTAL}
    silver: {WRITE, columns: {id: int64, amount: "decimal(10,2)"}}
"""


class Site:
    """A database, an SSH server that leads to it, and who may go through."""

    def __init__(self, ssh: SshServer, admin: sa.URL, folder: Path) -> None:
        self.ssh, self.folder = ssh, folder
        self.engine = sa.create_engine(admin, poolclass=sa.NullPool)
        self.key_text, public = new_key(PASSPHRASE)
        ssh.authorize(public)
        self.key = self.file("key", self.key_text)
        self.known_hosts = str(ssh.known_hosts(folder / "known_hosts"))
        self.database: dict[str, Any] = {
            "host": "localhost",
            "port": admin.port,
            "database": "postgres",
            "user": "ann",
            "password": PASSWORD,
        }
        self.sql(
            "DROP TABLE IF EXISTS orders",
            "CREATE TABLE orders AS SELECT i AS id, (i * 1.5)::numeric(10,2) AS amount FROM generate_series(1, 10) i",
            "GRANT SELECT ON orders TO ann",
        )

    def file(self, name: str, text: str, mode: int = 0o600) -> str:
        path = self.folder / name
        path.write_text(text)
        path.chmod(mode)
        return str(path)

    def sql(self, *statements: str) -> None:
        with self.engine.begin() as connection:
            for statement in statements:
                connection.exec_driver_sql(statement)

    def tunnel(self, **changed: Any) -> dict[str, Any]:
        said = {"host": "127.0.0.1", "port": self.ssh.port, "user": USER, "key": self.key, "passphrase": PASSPHRASE}
        said |= {"known_hosts": self.known_hosts} | changed
        return {name: value for name, value in said.items() if value is not None}

    def connection(self, database: dict[str, Any] | None = None, **changed: Any) -> Connection:
        return Connection.model_validate({**(database or self.database), "tunnel": self.tunnel(**changed)})

    def open(self, database: dict[str, Any] | None = None, **changed: Any) -> PostgresSession:
        made = self.connection(database, **changed)
        return PostgresSession(made.address("postgresql"), made.tunnel)

    def url(self, options: str, port: int, host: str = "localhost") -> dict[str, Any]:
        return {"url": f"postgresql://ann:{PASSWORD}@{host}:{port}/postgres{options}"}


@pytest.fixture(scope="module")
def servers() -> Iterator[tuple[SshServer, sa.URL]]:
    with ssh_server() as ssh, tcp_postgres(PASSWORD) as admin:
        yield ssh, admin


@pytest.fixture
def site(servers: tuple[SshServer, sa.URL], tmp_path: Path) -> Iterator[Site]:
    ssh, admin = servers
    folder = tmp_path / "site"
    folder.mkdir()
    yield Site(ssh, admin, folder)
    if ssh.process is None:
        ssh.start()


def tunnels() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name == "ssh-tunnel"]


# --- what arrives --------------------------------------------------------------------------------------


@pytest.mark.parametrize("incremental", ["", "incremental: {by: id, max_rows: 4}"])
def test_runs_read_through_a_tunnel_and_tell_no_secret(
    site: Site, tmp_path: Path, incremental: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    root = tmp_path / "project"
    (tmp_path / "dagster").mkdir()
    with dg.DagsterInstance.local_temp(str(tmp_path / "dagster")) as instance:
        shop = Workshop(root, instance)
        shop.table(
            "orders",
            ORDERS.replace("INCREMENTAL", incremental).replace(
                "WRITE", "write: append" if incremental else "write: overwrite"
            ),
        )
        shared = {"shop": {**site.database, "tunnel": site.tunnel()}}
        (root / "assets_config/project.yaml").write_text(f"connections: {shared!r}\n".replace("'", '"'))
        for wanted in [[*range(1, 11)], [*range(1, 13)]]:
            for _ in range(3 if incremental else 1):
                ran = shop.run("orders")
                assert ran.success, ran.failures
            assert shop.rows("silver/orders", "id") == sorted(wanted, key=repr)
            site.sql("INSERT INTO orders VALUES (11, 1), (12, 2)")
        place = f"postgresql://localhost:{site.database['port']}/postgres/orders"
        assert {text.partition("#")[0] for text in shop.rows("bronze/orders", "_source")} == {place}
    secrets = [PASSWORD, PASSPHRASE, *site.key_text.splitlines()[1:3]]
    written = [path for part in ("project", "dagster") for path in (tmp_path / part).rglob("*") if path.is_file()]
    assert len(written) > 20
    for path in written:
        if path.name != "project.yaml":
            content = path.read_bytes()
            assert not [one for one in secrets if one.encode() in content], path
    assert not [one for one in secrets if one in caplog.text]
    gc.collect()
    assert tunnels() == []


def test_a_key_may_be_given_as_text_by_a_variable(site: Site, tmp_path: Path) -> None:
    folder = tmp_path / "assets_config"
    folder.mkdir()
    tunnel = site.tunnel(key="${SHOP_KEY}", passphrase="${SHOP_PASSPHRASE}")
    said = {"shop": {**site.database, "tunnel": tunnel}}
    (folder / "project.yaml").write_text(f"connections: {said!r}\n".replace("'", '"'))
    environment = {"SHOP_KEY": site.key_text, "SHOP_PASSPHRASE": PASSPHRASE}
    found = load_project(folder, environment=environment).settings.connections["shop"]
    assert PASSPHRASE not in repr(found)
    assert "PRIVATE KEY" not in repr(found)
    source = PostgresSource(type="postgres", connection="shop", table="orders").with_connections({"shop": found})
    assert source.read(source.inputs()).landed.collect().height == 10


def test_the_keys_of_an_agent(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    opened, public = new_key()
    site.ssh.authorize(public)
    key, listening = site.file("open", opened), str(site.folder / "agent")
    agent = subprocess.Popen(["ssh-agent", "-D", "-a", listening], stdout=subprocess.DEVNULL)
    plain: dict[str, Any] = {"key": None, "passphrase": None, "agent": True}
    try:
        monkeypatch.setenv("SSH_AUTH_SOCK", listening)
        while not os.path.exists(listening):  # noqa: PTH110
            assert agent.poll() is None
        with pytest.raises(SourceError, match="wanted a key in the SSH agent, found none"):
            site.open(**plain)
        subprocess.run(["ssh-add", "-q", key], check=True, capture_output=True)
        session = site.open(**plain)
        assert session.values("SELECT count(*) FROM orders") == (10,)
        session.close()
    finally:
        agent.kill()
        agent.wait()
    with pytest.raises(SourceError, match="wanted the SSH agent at SSH_AUTH_SOCK, got: "):
        site.open(**plain)
    monkeypatch.delenv("SSH_AUTH_SOCK")
    with pytest.raises(SourceError, match="wanted an SSH agent, got no SSH_AUTH_SOCK"):
        site.open(**plain)


# --- TLS, and who may use the tunnel ----------------------------------------------------------------------


@pytest.fixture
def tls(site: Site) -> Iterator[TlsFront]:
    front = TlsFront(site.folder, site.database["port"])
    yield front
    front.close()


@pytest.mark.parametrize("mode", ["", "?sslmode=require", "?sslmode=verify-full&sslrootcert=CERTIFICATE"])
def test_what_goes_through_is_encrypted_to_the_database_too(site: Site, tls: TlsFront, mode: str) -> None:
    url = site.url(mode.replace("CERTIFICATE", str(tls.certificate)), port=tls.port)
    session = site.open(url)
    assert next(session.batches("orders", session.columns("orders"), "", "")).height == 10
    session.close()
    assert tls.encrypted >= 2, "the session and its stream"


def test_the_host_that_a_certificate_must_have_is_that_of_the_database(site: Site, tls: TlsFront) -> None:
    url = site.url(f"?sslmode=verify-full&sslrootcert={tls.certificate}", host="127.0.0.1", port=tls.port)
    with pytest.raises(
        SourceError, match=r'certificate for "localhost" .*does not match host name "127\.0\.0\.1"'
    ) as told:
        site.open(url)
    assert str(told.value).startswith(f"postgresql://127.0.0.1:{tls.port}/postgres: wanted to connect, got: ")
    assert f'"127.0.0.1", port {tls.port} failed' in str(told.value)


def test_no_other_process_goes_through_a_tunnel(site: Site) -> None:
    made = site.connection()
    assert made.tunnel is not None
    opened = OpenTunnel(made.tunnel, ("localhost", site.database["port"]))
    ask = "import socket, sys; s = socket.create_connection(('127.0.0.1', int(sys.argv[1])))\n"
    ask += "s.sendall(bytes.fromhex(sys.argv[2])); print(s.recv(1))"
    try:
        with socket.create_connection(("127.0.0.1", opened.port)) as ours:
            ours.sendall(TLS_REQUEST)
            assert ours.recv(1) == b"N", "this database has no TLS, and answers"
        other = subprocess.run(
            [sys.executable, "-c", ask, str(opened.port), TLS_REQUEST.hex()],
            capture_output=True,
            text=True,
            check=False,
        )
        assert other.stdout.strip() == "b''" or "reset" in other.stderr
    finally:
        opened.close()


# --- its end --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("end", [lambda session: session.close(), lambda _: None], ids=["closed", "forgotten"])
def test_a_tunnel_ends_with_its_session(site: Site, end: Callable[[PostgresSession], None]) -> None:
    session = site.open()
    assert (len(tunnels()), site.ssh.sessions()) == (1, 1)
    end(session)
    del session
    gc.collect()
    assert tunnels() == []
    assert _soon(lambda: site.ssh.sessions() == 0)


def test_a_server_killed_in_the_middle_is_a_transient_failure_and_the_next_session_is_new(site: Site) -> None:
    site.sql("TRUNCATE orders", "INSERT INTO orders SELECT i, 1 FROM generate_series(1, 2000000) i")
    source = PostgresSource(type="postgres", connection="shop", table="orders")
    source = source.with_connections({"shop": site.connection()})
    session = source.open_through(*_arguments(site))
    stream = session.batches("orders", session.columns("orders"), "", "")
    next(stream)
    site.ssh.kill()
    with pytest.raises(Transient) as told:
        for _ in stream:
            pass
    place = f"postgresql://localhost:{site.database['port']}/postgres"
    ssh = f"ssh://127.0.0.1:{site.ssh.port}"
    assert str(told.value).startswith(f"{place}: wanted to read its rows, got: through {ssh}: the tunnel has ended")
    with pytest.raises(Transient, match=r"wanted to ask it, got: through .*the tunnel has ended"):
        session.values("SELECT 1")
    with pytest.raises(Transient, match=f"^{place}: through {ssh}: wanted to connect, got: Connection refused$"):
        source.inputs()
    site.ssh.start()
    assert source.read(source.inputs()).landed.select(pl.len()).collect().item() == 2_000_000


def _arguments(site: Site) -> tuple[Any, str]:
    made = site.connection()
    return made.tunnel, made.address("postgresql")


def _soon(holds: Callable[[], bool]) -> bool:
    """Whether it holds before long: sshd learns of an end a moment later."""
    waiting = threading.Event()
    return any(holds() or waiting.wait(0.05) for _ in range(400))


# --- errors ---------------------------------------------------------------------------------------------

CASES: dict[str, tuple[Callable[[Site], dict[str, Any]], type[SourceError], str]] = {
    "unknown host key": (
        lambda site: {"known_hosts": site.file("other", "elsewhere.example.org " + new_key()[1])},
        SourceError, r"wanted a host key that '.*/other' has, got an unknown one: ssh-ed25519 SHA256:\S+$",
    ),
    "no known host at all": (
        lambda site: {"known_hosts": site.file("empty", "")}, SourceError, "wanted a host key that .*, got an unknown one: ",
    ),
    "different host key": (
        lambda site: {"known_hosts": str(site.ssh.known_hosts(site.folder / "other", new_key()[1]))},
        SourceError, r"wanted the host key that '.*/other' has, got another: ssh-ed25519 SHA256:\S+$",
    ),
    "no known_hosts": (
        lambda site: {"known_hosts": f"{site.folder}/none"}, SourceError, "wanted the known_hosts file '.*/none', found no such file$",
    ),
    "known_hosts that is none": (
        lambda site: {"known_hosts": site.key}, SourceError, "wanted a known_hosts file as OpenSSH writes it, got what is none in",
    ),
    "wrong user": (lambda _: {"user": "nobody-here"}, SourceError, "wanted to log in as 'nobody-here', got: the server refuses"),
    "wrong key": (
        lambda site: {"key": site.file("wrong", new_key()[0]), "passphrase": None}, SourceError, "wanted to log in as .*, got: the server refuses",
    ),
    "wrong passphrase": (lambda _: {"passphrase": "planted-other"}, SourceError, "wanted the passphrase of the key '.*/key', got a wrong one$"),
    "no passphrase": (lambda _: {"passphrase": None}, SourceError, "the key '.*/key' has a passphrase: wanted 'passphrase', got none$"),
    "no key file": (lambda site: {"key": f"{site.folder}/none"}, SourceError, "wanted the key '.*/none', found no such file$"),
    "key open to others": (
        lambda site: {"key": site.file("open", site.key_text, 0o644)}, SourceError, r"wanted the key '.*/open' to be closed to others \(mode 600\), got 644$",
    ),
    "a key that is none": (lambda site: {"key": site.file("none", PASSWORD)}, SourceError, "wanted a private key in 'key', .* got what is none"),
    "the text of a key in an unknown form": (lambda _: {"key": "cGxhbnRlZC1wYXNzcGhyYXNl"}, SourceError, "wanted the key file, found no such file$"),
    "no server": (lambda _: {"port": 1}, Transient, "wanted to connect, got: Connection refused$"),
    "no such host": (lambda _: {"host": "nowhere.invalid"}, Transient, "wanted to connect, got: "),
    "no SSH server": (lambda site: {"port": site.database["port"]}, SourceError, "wanted to connect, got"),
}  # fmt: skip


@pytest.mark.parametrize("case", CASES)
def test_each_failure_is_one_sentence_without_secrets(site: Site, case: str, caplog: pytest.LogCaptureFixture) -> None:
    changed, kind, wanted = CASES[case]
    said = changed(site)
    with pytest.raises(SourceError, match=wanted) as told:
        site.open(**said)
    if case != "no SSH server":
        assert type(told.value) is kind
    start = f"postgresql://localhost:{site.database['port']}/postgres: through ssh://{said.get('host', '127.0.0.1')}:"
    assert str(told.value).startswith(start)
    assert "\n" not in str(told.value)
    everything = f"{told.value} {told.getrepr(chain=True)} {caplog.text}"
    secrets = (PASSPHRASE, "planted-other", "cGxhbnRlZC1wYXNzcGhyYXNl", site.key_text.splitlines()[1])
    assert not [one for one in secrets if one in everything]
    assert tunnels() == []


def test_the_database_behind_the_tunnel_is_not_there_or_refuses(site: Site) -> None:
    with pytest.raises(
        Transient, match=r"localhost:1/postgres: through .*: wanted a way to localhost:1, got: Connection refused$"
    ):
        site.open({**site.database, "port": 1})
    with pytest.raises(SourceError, match='password authentication failed for user "ann"') as told:
        site.open({**site.database, "password": "planted-wrong"})
    assert "planted-wrong" not in str(told.value)
    with pytest.raises(SourceError, match=r"wanted a URL with one host"):
        site.open({"url": "postgresql:///postgres?host=/tmp"})
    site.ssh.kill()
    site.ssh.start("AllowTcpForwarding no")
    with pytest.raises(SourceError, match=r"wanted a way to localhost:.*, got: ") as refused:
        site.open()
    assert not isinstance(refused.value, Transient)
    site.ssh.kill()
    assert tunnels() == []
