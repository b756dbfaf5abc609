"""etcd and kube-apiserver as children of the cluster, on a loopback address that belongs to it."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pytest_smi.embedded.kubeapi import tls
from pytest_smi.embedded.realapi import flags
from pytest_smi.embedded.realapi.program import Program
from pytest_smi.embedded.rest import ApiFailure, Client
from pytest_smi.errors import ClusterError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping
    from pathlib import Path

    from pytest_smi.embedded.kubeapi.http import User
    from pytest_smi.embedded.realapi.assets import Assets

READY_SECONDS = 120.0
_POLL_SECONDS = 0.05


@dataclass(frozen=True)
class Servers:
    """A real API server that is ready. `authority` signed its certificate, and is believed about kubelets."""

    server: str
    authority: tls.Authority
    programs: tuple[Program, ...]

    async def watch(self) -> None:
        """Returns never: raises ClusterError when one of the programs ends by itself."""
        async with asyncio.TaskGroup() as group:
            for program in self.programs:
                group.create_task(program.watch())


@contextlib.asynccontextmanager
async def running(
    assets: Assets, folder: Path, host: str, service_cidr: str, tokens: Mapping[str, User]
) -> AsyncIterator[Servers]:
    """Starts both on `host`, waits until they are ready, and ends them when the context is left.

    `tokens` are static bearer tokens; `folder` keeps all files. Raises ClusterError when they do not start.
    """
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    secure, client, peer = _free_ports(host, 3)
    place = flags.Place(host, secure, client, peer, folder)
    authority = _write_credentials(place, tokens)
    async with contextlib.AsyncExitStack() as stack:
        etcd = await Program.start(assets.etcd, flags.etcd(place), folder)
        stack.push_async_callback(etcd.stop)
        server = await Program.start(assets.kube_apiserver, flags.kube_apiserver(place, service_cidr), folder)
        stack.push_async_callback(server.stop)
        servers = Servers(place.server, authority, (etcd, server))
        await _until_ready(servers, next(iter(tokens)))
        yield servers


async def _until_ready(servers: Servers, token: str) -> None:
    """Waits for /readyz. Raises ClusterError when a program ends first, or when it takes too long."""
    watching = asyncio.ensure_future(servers.watch())
    asking = asyncio.ensure_future(_ask(servers, token))
    try:
        async with asyncio.timeout(READY_SECONDS):
            await asyncio.wait((watching, asking), return_when=asyncio.FIRST_COMPLETED)
    except TimeoutError:
        raise ClusterError(
            f"kube-apiserver was not ready after {READY_SECONDS:.0f} s", "is the machine overloaded?"
        ) from None
    finally:
        for task in (watching, asking):
            task.cancel()
        ended, _ = await asyncio.gather(watching, asking, return_exceptions=True)
    if isinstance(ended, BaseExceptionGroup):
        raise ended.exceptions[0]


async def _ask(servers: Servers, token: str) -> None:
    with contextlib.closing(Client(servers.server, token, servers.authority.cert_pem)) as client:
        while True:
            with contextlib.suppress(OSError, ApiFailure):
                await client.get("/readyz")
                return
            await asyncio.sleep(_POLL_SECONDS)


def _write_credentials(place: flags.Place, tokens: Mapping[str, User]) -> tls.Authority:
    authority, proxies = tls.new_authority("pytest-smi"), tls.new_authority("front-proxy-ca")
    authority.write(place.folder, "ca")
    proxies.write(place.folder, "front-proxy-ca")
    tls.server_pair(authority, (place.host,)).write(place.folder, "server")
    # etcd's one member is a client of itself, too.
    authority.issue("etcd", addresses=(place.host,), client=True, server=True).write(place.folder, "etcd")
    authority.issue("kube-apiserver", organizations=("system:masters",), client=True).write(place.folder, "client")
    proxies.issue("front-proxy-client", client=True).write(place.folder, "front-proxy")
    tls.new_authority("accounts").write(place.folder, "accounts")
    lines = [f'{token},{user.name},{user.name},"{",".join(user.groups)}"' for token, user in tokens.items()]
    secret = place.folder / "tokens.csv"
    secret.touch(mode=0o600)
    secret.write_text("\n".join(lines))
    return authority


def _free_ports(host: str, count: int) -> list[int]:
    """Ports of an address that nobody else uses: they stay free until they are taken."""
    with contextlib.ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
        for one in sockets:
            one.bind((host, 0))
        return [one.getsockname()[1] for one in sockets]
