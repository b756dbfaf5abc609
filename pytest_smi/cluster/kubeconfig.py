"""A cluster that is there already: the kubeconfig's, or the one whose pod we run in."""

from __future__ import annotations

import difflib
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pytest_smi.cluster.api import Api
from pytest_smi.cluster.base import Connection, common_facts
from pytest_smi.cluster.pods import Executed, Forward, execute, logs
from pytest_smi.errors import ClusterError

if TYPE_CHECKING:
    from collections.abc import Sequence

#: Where a pod finds its ServiceAccount's token and the cluster's CA; `SMI_SERVICEACCOUNT` names another folder.
SERVICEACCOUNT = "/var/run/secrets/kubernetes.io/serviceaccount"


class KubeconfigCluster:
    """The cluster of a context in a kubeconfig file (both optional: then as kubectl would choose).

    Without a kubeconfig and a context, in a pod that has a ServiceAccount: the cluster of that pod.
    """

    provider = "kubeconfig"
    lasting = True

    def __init__(self, kubeconfig: str | None = None, context: str | None = None) -> None:
        self.kubeconfig = Path(kubeconfig) if kubeconfig else None
        self._context = context
        self._in_cluster = not kubeconfig and not context and not _default_exists() and in_pod()
        self.api = Api(self._client())

    def _client(self) -> Any:
        from kubernetes import config

        file = str(self.kubeconfig) if self.kubeconfig else None
        try:
            if self._in_cluster:
                return _client_of_pod()
            if self._context:
                _check_context(file, self._context)
            return config.new_client_from_config(file, context=self._context)
        except ClusterError:
            raise
        except Exception as fault:  # of a file that is no kubeconfig the official client tells in many ways
            words = " ".join(str(fault).split()) or type(fault).__name__
            raise ClusterError(
                f"no cluster: {words}", "name a kubeconfig with --smi-kubeconfig or use --smi-cluster=embedded"
            ) from fault

    def facts(self) -> dict[str, Any]:
        """Provider, Kubernetes version, what its nodes run on."""
        return common_facts(self.provider, self.api)

    def new_api(self) -> Api:
        """One more way to the same API, for another thread."""
        return Api(self._client())

    def connect(self, namespace: str, pod: str, port: int) -> Connection:
        """Forward the pod's port through the API server."""
        return Forward(self.api, namespace, pod, port)

    def execute(self, namespace: str, pod: str, command: Sequence[str], container: str | None = None) -> Executed:
        """Run a command in a container and wait for its end."""
        return execute(self.api, namespace, pod, command, container=container)

    def logs(self, namespace: str, pod: str, container: str | None = None, **which: Any) -> str:
        """The output of a container; `previous` and `lines` as in `pods.logs`."""
        return logs(self.api, namespace, pod, container=container, **which)

    def load_image(self, image: str) -> None:
        """Nothing to do: this cluster's nodes pull images, or have them."""

    def check(self) -> None:
        """Nothing was started, so nothing can have ended; requests tell when it cannot be reached."""

    def close(self) -> None:
        """Nothing was started, so nothing ends."""


def in_pod() -> bool:
    """Whether this process runs in a pod that may speak to its API server."""
    return bool(os.environ.get("KUBERNETES_SERVICE_HOST")) and (_serviceaccount() / "token").is_file()


def _serviceaccount() -> Path:
    return Path(os.environ.get("SMI_SERVICEACCOUNT") or SERVICEACCOUNT)


def _default_exists() -> bool:
    """Whether there is a kubeconfig where kubectl looks for one."""
    return bool(os.environ.get("KUBECONFIG")) or Path("~/.kube/config").expanduser().is_file()


def _client_of_pod() -> Any:
    """A client for the cluster of this pod; the token is read again before it lapses."""
    from kubernetes import client
    from kubernetes.config.incluster_config import InClusterConfigLoader

    folder, configuration = _serviceaccount(), client.Configuration()
    loader = InClusterConfigLoader(token_filename=str(folder / "token"), cert_filename=str(folder / "ca.crt"))
    loader.load_and_set(configuration)
    return client.ApiClient(configuration)


def _check_context(file: str | None, context: str) -> None:
    """Raise ClusterError, with the nearest one there is, for a context that the kubeconfig does not have."""
    from kubernetes import config

    known = [str(one["name"]) for one in config.list_kube_config_contexts(file)[0]]
    if context not in known:
        near = difflib.get_close_matches(context, known, 1)
        advice = f"did you mean {near[0]}?" if near else f"it has {', '.join(known) or 'none'}"
        raise ClusterError(f"no context {context} in {file or 'the default kubeconfig'}", advice)
