"""The suite as a Job inside the cluster: manifests for its account, its rights, its profile and itself. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pytest_smi.cluster.rights import NAME, RIGHTS, Right, manifests

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

_GRACE_SECONDS = 180  # in which an interrupted run removes what it has made
_PROFILE = "mesh.toml"
_FOLDER = "/profile"


def job(
    namespace: str,
    image: str,
    arguments: Sequence[str],
    *,
    profile: str | None = None,
    rights: Iterable[Right] = RIGHTS,
) -> list[dict[str, Any]]:
    """Manifests of a Job that runs pytest with these arguments, once, and of what it needs.

    `profile` is the text of a mesh profile, which the pod finds as a file and the run is told of. The same `image`,
    which has Python and this package, serves the sample application too, unless the arguments name another.
    """
    meta = {"name": NAME, "namespace": namespace, "labels": {"app.kubernetes.io/name": NAME}}
    given = [] if any(one.startswith("--smi-image") for one in arguments) else [f"--smi-image={image}"]
    spec = _pod(image, [*given, *arguments])
    before = manifests(namespace, rights=rights)
    if profile is not None:
        spec["containers"][0]["args"].insert(0, f"--smi-mesh={_FOLDER}/{_PROFILE}")
        spec["containers"][0]["volumeMounts"].append({"name": "profile", "mountPath": _FOLDER})
        spec["volumes"].append({"name": "profile", "configMap": {"name": NAME}})
        before.append({"apiVersion": "v1", "kind": "ConfigMap", "metadata": meta, "data": {_PROFILE: profile}})
    template = {"metadata": {"labels": meta["labels"]}, "spec": spec}
    return [
        *before,
        {
            "apiVersion": "batch/v1",
            "kind": "Job",
            "metadata": meta,
            "spec": {"backoffLimit": 0, "template": template},  # a failing mesh does not pass the second time
        },
    ]


def _pod(image: str, arguments: list[str]) -> dict[str, Any]:
    container = {
        "name": "suite",
        "image": image,
        "imagePullPolicy": "IfNotPresent",
        "command": ["python3", "-m", "pytest_smi.cli", "in-pod"],
        "args": arguments,
        "workingDir": "/tmp",
        "env": [{"name": "HOME", "value": "/tmp"}, {"name": "TMPDIR", "value": "/tmp"}],
        "volumeMounts": [{"name": "tmp", "mountPath": "/tmp"}],
        "securityContext": {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        },
    }
    return {
        "serviceAccountName": NAME,
        "restartPolicy": "Never",
        "terminationGracePeriodSeconds": _GRACE_SECONDS,
        "securityContext": {"runAsNonRoot": True, "runAsUser": 65532, "seccompProfile": {"type": "RuntimeDefault"}},
        "containers": [container],
        "volumes": [{"name": "tmp", "emptyDir": {}}],
    }
