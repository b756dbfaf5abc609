"""`python -m pytest_smi.embedded --state DIR`: the embedded cluster as a process.

It prints one JSON line when it is ready, `{"kubeconfig": PATH, "server": URL, "dns": "IP:PORT"}`, and is silent from
then on; its log is DIR/cluster.log. Standard input is its lifeline: when it closes, as on SIGTERM and SIGINT, the
cluster ends every pod's processes and itself. A foreseeable failure is one line `{"error": ..., "advice": ...}` and
exit status 3. With KUBEBUILDER_ASSETS=FOLDER in the environment it runs on the kube-apiserver and etcd of that folder.
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
from typing import TYPE_CHECKING

from pytest_smi.embedded.realapi.assets import find
from pytest_smi.errors import ClusterError

if TYPE_CHECKING:
    from pytest_smi.embedded.node.spawner import Zygote
    from pytest_smi.embedded.realapi.assets import Assets

_FAILED = 3
_log = logging.getLogger("pytest_smi.embedded")


def main() -> int:
    """Runs until the lifeline closes or a signal comes; returns the exit status."""
    parser = argparse.ArgumentParser(prog="python -m pytest_smi.embedded", description="Run the embedded cluster")
    parser.add_argument("--state", required=True, type=Path, metavar="DIR", help="Where it keeps all its files")
    state: Path = parser.parse_args().state.absolute()
    try:
        assets = find(os.environ)
        _prepare(state)
        from pytest_smi.embedded.node.spawner import Zygote

        return asyncio.run(_serve(state, Zygote(), assets))
    except ClusterError as error:
        return _refuse(error.what, error.advice)
    except ExceptionGroup as group:
        _log.exception("a part of the cluster failed")
        reason = _first_reason(group)
        what = f": {reason.what}" if reason else ""
        return _refuse(f"the embedded cluster failed{what}", f"see {state / 'cluster.log'}")


def _first_reason(group: BaseExceptionGroup[BaseException]) -> ClusterError | None:
    """The first failure that has words for its user; parts have parts of their own."""
    for one in group.exceptions:
        found = _first_reason(one) if isinstance(one, BaseExceptionGroup) else one
        if isinstance(found, ClusterError):
            return found
    return None


def _prepare(state: Path) -> None:
    if sys.platform != "linux":
        raise ClusterError(
            f"the embedded cluster does not run on {sys.platform}", "use Linux, or another --smi-cluster"
        )
    try:
        state.mkdir(mode=0o700, parents=True, exist_ok=True)
        handler = logging.FileHandler(state / "cluster.log")
    except OSError as fault:
        raise ClusterError(f"cannot use {state} for the cluster's state: {fault.strerror}", "choose another") from None
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(name)s: %(message)s"))
    logging.basicConfig(level=os.environ.get("PYTEST_SMI_LOG_LEVEL", "INFO"), handlers=[handler])


async def _serve(state: Path, zygote: Zygote, assets: Assets | None) -> int:
    from pytest_smi.embedded.runtime import cluster  # while the zygote starts

    end = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        loop.add_signal_handler(number, end.set)
    _hold_lifeline(end)
    async with cluster(state, zygote, assets) as ready:
        print(json.dumps(ready), flush=True)
        gc.collect()
        gc.freeze()  # what the start has made stays for good: no later collection need look at it
        await end.wait()
        _log.info("ending")
    return 0


def _hold_lifeline(end: asyncio.Event) -> None:
    loop = asyncio.get_running_loop()

    def read() -> None:
        try:
            if os.read(0, 4096):
                return
        except OSError:
            pass  # as good as closed
        loop.remove_reader(0)
        end.set()

    try:
        loop.add_reader(0, read)
    except (OSError, ValueError):
        end.set()  # a file, or nothing at all: nobody holds the other end


def _refuse(what: str, advice: str) -> int:
    print(json.dumps({"error": what, "advice": advice}), flush=True)
    return _FAILED


if __name__ == "__main__":
    sys.exit(main())
