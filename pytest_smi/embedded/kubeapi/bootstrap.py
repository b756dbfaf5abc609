"""What is there when a cluster starts: its first namespaces."""

from uuid import uuid4

from pytest_smi.embedded.kubeapi.objects import now
from pytest_smi.embedded.kubeapi.state import FIRST_NAMESPACES, NAMESPACES, State


def first_objects(state: State) -> None:
    """Make the namespaces that exist in every cluster."""
    for name in FIRST_NAMESPACES:
        state.store.put(
            NAMESPACES,
            ("", name),
            {
                "apiVersion": "v1",
                "kind": "Namespace",
                "metadata": {
                    "name": name,
                    "uid": str(uuid4()),
                    "creationTimestamp": now(),
                    "labels": {"kubernetes.io/metadata.name": name},
                },
                "spec": {"finalizers": ["kubernetes"]},
                "status": {"phase": "Active"},
            },
        )
