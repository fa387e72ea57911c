"""An open SSH tunnel: a port of this machine that leads to a database, for this process alone.

It is a port and no Unix socket, since libpq encrypts nothing that goes through one: the way from the SSH server to the
database would be in the clear. Connections of other processes are closed at once.
"""

from __future__ import annotations

import asyncio
import os
import re
import threading
from collections.abc import Callable, Coroutine, Sequence
from concurrent.futures import Future
from contextlib import AsyncExitStack, suppress
from typing import TYPE_CHECKING, Any

from dq_pipelines.databases.ssh_keys import agent_path, known_hosts, private_key
from dq_pipelines.databases.tunnel import Tunnel
from dq_pipelines.errors import SourceError, Transient

if TYPE_CHECKING:
    import asyncssh

#: Seconds for the way to the SSH server and the login; and between two signs of life, three of which may fail.
_CONNECT, _ALIVE = 15, 10
_CHUNK = 1 << 18
_LOOPBACK = "127.0.0.1"
#: Codes of SSH (RFC 4253, 11.1) after which a later try may succeed: not available, lost, ended by the server, too many.
_PASSING = {7, 10, 11, 12}


class OpenTunnel:
    """A tunnel to a host and port, in a thread of its own. Raises SourceError, or Transient, where it cannot be opened."""

    def __init__(self, tunnel: Tunnel, target: tuple[str, int]) -> None:
        self._tunnel, self._target = tunnel, target
        #: why the database is not reached through the tunnel now
        self.trouble: SourceError | None = None
        self._host_key = ""
        self._loop: asyncio.AbstractEventLoop | None = None
        self._task: asyncio.Task[None] | None = None
        self._ready: Future[int] = Future()
        try:
            import asyncssh  # noqa: F401 - loaded here, where it can be told that it lacks
        except ImportError:
            raise SourceError("a tunnel: wanted the extra `ssh` (pip install …[ssh])") from None
        self._thread = threading.Thread(target=self._run, name="ssh-tunnel", daemon=True)
        self._thread.start()
        #: the port of this machine
        self.port = self._ready.result()

    def named(self, text: str) -> str:
        """A message of libpq with the port of the database in place of this machine's."""
        return re.sub(rf"(?: \({_LOOPBACK}\))?, port {self.port}\b", f", port {self._target[1]}", text)

    def close(self) -> None:
        """End the tunnel, and all that goes through it."""
        if self._loop is not None and self._task is not None:
            with suppress(RuntimeError):  # its loop has ended
                self._loop.call_soon_threadsafe(self._task.cancel)
        if threading.current_thread() is not self._thread:  # where garbage is collected, that may be any thread
            self._thread.join(5)

    # --- in the thread ------------------------------------------------------------------------------

    def _run(self) -> None:
        try:
            with suppress(asyncio.CancelledError):
                asyncio.run(self._serve())
        except BaseException as error:  # noqa: BLE001 - it is raised where the tunnel is opened
            if not self._ready.done():
                self._ready.set_exception(self._told(error))

    async def _serve(self) -> None:
        self._loop, self._task = asyncio.get_running_loop(), asyncio.current_task()
        hosts = known_hosts(self._tunnel)
        async with AsyncExitStack() as open_agent:
            keys = await _agent_keys(open_agent) if self._tunnel.agent else [private_key(self._tunnel)]
            await self._connected(hosts, keys)

    async def _connected(
        self, hosts: asyncssh.SSHKnownHosts, keys: Sequence[asyncssh.SSHKey | asyncssh.SSHKeyPair]
    ) -> None:
        """Be there until the connection, or this task, ends."""
        import asyncssh

        async with asyncssh.connect(
            self._tunnel.host,
            int(self._tunnel.port),
            config=None,  # nobody's ~/.ssh/config, which may name commands to run
            client_factory=self._client(hosts),
            known_hosts=hosts,
            x509_trusted_certs=None,
            username=self._tunnel.user,
            client_keys=keys,
            agent_path=None,
            preferred_auth="publickey",
            disable_trivial_auth=True,
            connect_timeout=_CONNECT,
            keepalive_interval=_ALIVE,
        ) as connection:
            _, probe = await self._reach(connection, 0)
            probe.close()
            forward = self._forwarder(connection)
            server = await asyncio.start_server(forward, _LOOPBACK, 0, limit=_CHUNK)
            try:
                self._ready.set_result(server.sockets[0].getsockname()[1])
                await connection.wait_closed()
            finally:
                server.close()

    def _client(self, hosts: asyncssh.SSHKnownHosts) -> type[asyncssh.SSHClient]:
        """What asyncssh tells about the connection."""
        import asyncssh

        opened, file = self, self._tunnel.known_hosts

        class Client(asyncssh.SSHClient):
            def validate_host_public_key(self, host: str, addr: str, port: int, key: asyncssh.SSHKey) -> bool:
                known, *_ = hosts.match(host, addr, port if port != 22 else None)
                got = f"{key.get_algorithm()} {key.get_fingerprint()}"
                opened._host_key = (
                    f"wanted the host key that '{file}' has, got another: {got}"
                    if known
                    else f"wanted a host key that '{file}' has, got an unknown one: {got}"
                )
                return False

            def connection_lost(self, exc: Exception | None) -> None:
                opened.trouble = opened._transient(f"the tunnel has ended{f': {_reason(exc)}' if exc else ''}")

        return Client

    async def _reach(
        self, connection: asyncssh.SSHClientConnection, port: int
    ) -> tuple[asyncssh.SSHReader[bytes], asyncssh.SSHWriter[bytes]]:
        """A way to the database. Raises SourceError, or Transient."""
        import asyncssh

        host, number = self._target
        try:
            return await connection.open_connection(host, number, orig_host=_LOOPBACK, orig_port=port, encoding=None)
        except asyncssh.ChannelOpenError as error:
            said = f"wanted a way to {host}:{number}, got: {_reason(error)}"
            forbidden = error.code == asyncssh.OPEN_ADMINISTRATIVELY_PROHIBITED
            raise (self._lasting if forbidden else self._transient)(said) from None

    def _forwarder(
        self, connection: asyncssh.SSHClientConnection
    ) -> Callable[[asyncio.StreamReader, asyncio.StreamWriter], Coroutine[Any, Any, None]]:
        """What carries a connection of this process to the database."""

        async def forward(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            import asyncssh

            ends = (writer.get_extra_info("peername")[1], writer.get_extra_info("sockname")[1])
            try:
                if not _is_ours(ends):
                    return
                far_reader, far_writer = await self._reach(connection, ends[0])
                self.trouble = None
                await asyncio.gather(_carry(reader, far_writer), _carry(far_reader, writer))
            except SourceError as error:
                self.trouble = error
            except (asyncssh.Error, asyncio.CancelledError):
                writer.transport.abort()  # the tunnel has ended, as `trouble` says: nothing waits to be sent
            finally:
                writer.close()

        return forward

    # --- errors -------------------------------------------------------------------------------------

    def _lasting(self, said: str) -> SourceError:
        return SourceError(f"through {self._tunnel.place}: {said}")

    def _transient(self, said: str) -> SourceError:
        return Transient(f"through {self._tunnel.place}: {said}")

    def _told(self, error: BaseException) -> BaseException:
        """One sentence about why the tunnel is not open; what nobody expects is returned as it is."""
        import asyncssh

        match error:
            case SourceError():
                said = str(error)
                return error if said.startswith("through ") else self._lasting(said)
            case asyncssh.HostKeyNotVerifiable():
                return self._lasting(self._host_key or f"wanted to trust its host key, got: {_reason(error)}")
            case asyncssh.PermissionDenied():
                wanted = f"wanted to log in as '{self._tunnel.user}'"
                return self._lasting(f"{wanted}, got: the server refuses this user or its key")
            case asyncssh.KeyExchangeFailed() if "host key" in str(error):
                return self._lasting(f"wanted a host key of a kind that '{self._tunnel.known_hosts}' has, got none")
            case asyncssh.DisconnectError():
                kind = self._transient if error.code in _PASSING else self._lasting
                return kind(f"wanted to connect, got: {_reason(error)}")
            case TimeoutError() if not error.errno:
                return self._transient(f"wanted to connect, got no answer within {_CONNECT} s")
            case OSError():
                return self._transient(f"wanted to connect, got: {_reason(error)}")
        return error


async def _agent_keys(stack: AsyncExitStack) -> Sequence[asyncssh.SSHKeyPair]:
    """The keys of the agent, which stays open with the stack: it signs. Raises SourceError."""
    import asyncssh

    path = agent_path()
    try:
        agent = await stack.enter_async_context(asyncssh.connect_agent(path))
        keys = await agent.get_keys()
    except (OSError, ValueError) as error:
        raise SourceError(f"wanted the SSH agent at SSH_AUTH_SOCK, got: {_reason(error)}") from None
    if not keys:
        raise SourceError("wanted a key in the SSH agent, found none")
    return keys


async def _carry(
    reader: asyncio.StreamReader | asyncssh.SSHReader[bytes],
    writer: asyncio.StreamWriter | asyncssh.SSHWriter[bytes],
) -> None:
    """Carry all that comes, and then end the other side."""
    import asyncssh

    try:
        with suppress(OSError, asyncssh.Error):
            while chunk := await reader.read(_CHUNK):
                writer.write(chunk)
                await writer.drain()
    finally:
        writer.close()


def _is_ours(ends: tuple[int, int]) -> bool:
    """Whether this process holds the other end of a connection on this machine: their ports, and that of the tunnel."""
    import psutil

    held = psutil.Process().net_connections("tcp4")
    return any(one.raddr and (one.laddr.port, one.raddr.port) == ends for one in held)


def _reason(error: Exception) -> str:
    """What an error says, in one line and not long: some of it comes from a server that nobody knows."""
    if isinstance(error, OSError) and error.errno and error.errno > 0:
        return os.strerror(error.errno)
    said = getattr(error, "reason", "") or str(error) or type(error).__name__
    return "".join(letter for letter in " ".join(said.split()) if letter.isprintable())[:200]
