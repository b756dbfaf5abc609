"""A cluster that is there already: the kubeconfig's, or the one whose pod we run in."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pytest_smi.cluster.api import Api
from pytest_smi.cluster.base import Connection, common_facts
from pytest_smi.errors import ClusterError


class KubeconfigCluster:
    """The cluster of a context in a kubeconfig file (both optional: then as kubectl would choose)."""

    provider = "kubeconfig"

    def __init__(self, kubeconfig: str | None = None, context: str | None = None) -> None:
        self.kubeconfig = Path(kubeconfig) if kubeconfig else None
        self._context = context
        self.api = Api(self._client())

    def _client(self) -> Any:
        from kubernetes import config

        file = str(self.kubeconfig) if self.kubeconfig else None
        try:
            return config.new_client_from_config(file, context=self._context)
        except (config.ConfigException, OSError) as fault:
            raise ClusterError(
                f"no cluster: {fault}", "name a kubeconfig with --smi-kubeconfig or use --smi-cluster=embedded"
            ) from fault

    def facts(self) -> dict[str, Any]:
        """Provider, Kubernetes version, what its nodes run on."""
        return common_facts(self.provider, self.api)

    def connect(self, namespace: str, pod: str, port: int) -> Connection:
        """Forward the pod's port through the API server.

        Each forward has its own ApiClient: the official client swaps a method on a shared one while it streams.
        """
        from kubernetes import client
        from kubernetes.client.exceptions import ApiException
        from kubernetes.stream import portforward

        core = client.CoreV1Api(self._client())
        try:
            forward = portforward(core.connect_get_namespaced_pod_portforward, pod, namespace, ports=str(port))
        except ApiException as fault:
            raise ClusterError(f"port {port} of pod {namespace}/{pod} cannot be forwarded: {fault.reason}") from fault
        stream: Connection = forward.socket(port)
        return stream

    def check(self) -> None:
        """Nothing was started, so nothing can have ended; requests tell when it cannot be reached."""

    def close(self) -> None:
        """Nothing was started, so nothing ends."""
