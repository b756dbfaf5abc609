"""`python -m pytest_smi.embedded.mesh --kubeconfig FILE --state DIR [--fault NAME]`: the reference mesh as a process.

It prints one JSON line when it programs traffic, `{"ready": true, "version": …, "envoy": …}`, and is silent from then
on; its logs are DIR/mesh.log and DIR/envoy.log, what it enforces is in DIR/policy.json. Standard input is its lifeline:
when it closes, as on SIGTERM and SIGINT, the mesh ends; its CRDs stay until `--uninstall`. On the line
`restart` there the control plane begins anew while Envoy serves, with a second ready line at the end. A foreseeable
failure is one line `{"error": …, "advice": …}` and exit status 3.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import json
import logging
import os
import signal
import sys
from pathlib import Path
from typing import Any, NoReturn

from pytest_smi.embedded.client import ApiFailure
from pytest_smi.errors import HarnessError, MeshError

_FAILED = 3
_HANDED = "--handed"
_log = logging.getLogger("pytest_smi.embedded.mesh")


def main() -> int:
    """Runs until the lifeline closes or a signal comes; returns the exit status."""
    arguments = _arguments()
    try:
        if arguments.list_faults:
            from pytest_smi.embedded.mesh.faults import listing

            print(json.dumps(listing(), indent=1))
            return 0
        if arguments.kubeconfig is None:
            raise MeshError("no cluster given", "add --kubeconfig FILE")
        if arguments.uninstall:
            return asyncio.run(_uninstall(arguments.kubeconfig))
        if arguments.state is None:
            raise MeshError("no place for the mesh's files given", "add --state DIR")
        _prepare(arguments.state)
        return asyncio.run(_serve(arguments))
    except HarnessError as error:
        return _refuse(error.what, error.advice)
    except OSError as fault:
        return _refuse(f"cannot reach the API server: {fault}", "is the cluster of this kubeconfig running?")
    except ApiFailure as failure:
        return _refuse(f"the API server refused: {failure}", "check the rights of the kubeconfig's user")
    except Exception as failure:
        if not _log.hasHandlers():
            raise
        _log.exception("the mesh failed")
        return _refuse(f"the reference mesh failed: {failure!r}", f"see {arguments.state / 'mesh.log'}")


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m pytest_smi.embedded.mesh", description="Run the reference mesh")
    parser.add_argument("--kubeconfig", type=Path, metavar="FILE", help="The cluster to serve")
    parser.add_argument("--state", type=Path, metavar="DIR", help="Where it keeps all its files")
    parser.add_argument("--fault", metavar="NAME", help="Run with this seeded defect")
    parser.add_argument("--older-metrics", action="store_true", help="Tell metrics in the older shape, without sides")
    parser.add_argument("--list-faults", action="store_true", help="Print the faults as JSON")
    parser.add_argument("--uninstall", action="store_true", help="Delete what the mesh installed")
    parser.add_argument(_HANDED, metavar="PID:ADDRESS", help=argparse.SUPPRESS)  # by an earlier life of this program
    return parser.parse_args()


def _prepare(state: Path) -> None:
    try:
        state.mkdir(mode=0o700, parents=True, exist_ok=True)
        handler = logging.FileHandler(state / "mesh.log")
    except OSError as fault:
        raise MeshError(f"cannot use {state} for the mesh's state: {fault.strerror}", "choose another") from None
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(name)s: %(message)s"))
    logging.basicConfig(level=os.environ.get("PYTEST_SMI_LOG_LEVEL", "INFO"), handlers=[handler])


async def _serve(arguments: argparse.Namespace) -> int:
    from pytest_smi.embedded.mesh.mesh import mesh

    state = arguments.state.absolute()
    end = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        loop.add_signal_handler(number, end.set)
    orders: set[str] = set()
    _hold_lifeline(end, orders)
    older = arguments.older_metrics
    async with mesh(arguments.kubeconfig, state, arguments.fault, arguments.handed, older_metrics=older) as running:
        _say(running.ready)
        gc.collect()
        gc.freeze()  # what the start has made stays for good: no later collection need look at it
        if await running.until(end):
            if "restart" in orders:
                _begin_anew(running.envoy.handover())
            return 0
        _log.error("Envoy ended by itself, see %s", state / "envoy.log")
        return 1


def _begin_anew(handed: str) -> NoReturn:
    """Replace this program by a fresh copy of itself, at once, as a crash would: only Envoy, our child, goes on."""
    words = sys.argv[1:]
    if _HANDED in words:
        place = words.index(_HANDED)
        del words[place : place + 2]
    os.execv(sys.executable, [sys.executable, "-m", "pytest_smi.embedded.mesh", *words, _HANDED, handed])


async def _uninstall(kubeconfig: Path) -> int:
    from pytest_smi.embedded.client import Client
    from pytest_smi.embedded.mesh.install import uninstall
    from pytest_smi.embedded.mesh.metrics_server import unregister

    client = Client.from_kubeconfig(kubeconfig)
    try:
        _say({"deleted": [*await unregister(client), *await uninstall(client)]})
    finally:
        client.close()
    return 0


def _hold_lifeline(end: asyncio.Event, orders: set[str]) -> None:
    loop = asyncio.get_running_loop()

    def read() -> None:
        try:
            said = os.read(0, 4096).decode("utf-8", "replace").split()
            orders.update(said)
            if said and "restart" not in said:
                return
        except OSError:
            pass  # as good as closed
        loop.remove_reader(0)
        end.set()

    try:
        loop.add_reader(0, read)
    except (OSError, ValueError):
        end.set()  # a file, or nothing at all: nobody holds the other end


def _say(words: dict[str, Any]) -> None:
    print(json.dumps(words), flush=True)


def _refuse(what: str, advice: str) -> int:
    _say({"error": what, "advice": advice})
    return _FAILED


if __name__ == "__main__":
    sys.exit(main())
