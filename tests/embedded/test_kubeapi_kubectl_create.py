"""kubectl sends what it makes itself as protobuf: what arrives must be what it shows in a client-side dry run."""

from __future__ import annotations

import json
import shlex
from typing import TYPE_CHECKING, Any

import pytest

from tests.embedded.kubeapi_harness import Cluster

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    cluster = Cluster(tmp_path_factory.mktemp("create"))
    cluster.start()
    yield cluster
    cluster.stop()


def missing(wanted: Any, found: Any, path: str = "") -> list[str]:
    """Paths at which `found` lacks or changes what is `wanted`; empty values need not be there."""
    if isinstance(wanted, dict):
        found = found if isinstance(found, dict) else {}
        return [fault for key, value in wanted.items() for fault in missing(value, found.get(key), f"{path}.{key}")]
    if isinstance(wanted, list):
        if not isinstance(found, list) or len(found) != len(wanted):
            return [path]
        pairs = enumerate(zip(wanted, found, strict=True))
        return [fault for index, (one, two) in pairs for fault in missing(one, two, f"{path}[{index}]")]
    return [] if wanted == found or not wanted else [path]


@pytest.mark.parametrize(
    "command",
    [
        "namespace tea",
        "serviceaccount kettle",
        "configmap leaf --from-literal=a=1 --from-literal=b=",
        "secret generic lock --from-literal=key=value",
        "deployment teapot --image=none --replicas=3 --port=8080 -- sleep 600",
        "service clusterip teapot --tcp=8080:http --tcp=9090:9091",
        "service externalname away --external-name=example.test",
        "role reader --verb=get,list --resource=pods,deployments.apps --resource-name=a",
        "rolebinding readers --role=reader --user=anna --group=brewers --serviceaccount=default:kettle",
        "clusterrole urls --verb=get --non-resource-url=/logs/*",
        "clusterrole gathered --aggregation-rule=tier=tea",
        "clusterrolebinding all --clusterrole=view --group=brewers",
    ],
)
def test_what_kubectl_creates_arrives_whole(cluster: Cluster, command: str) -> None:
    args = shlex.split(command)
    options, rest = (args, []) if "--" not in args else (args[: args.index("--")], args[args.index("--") :])
    wanted = json.loads(cluster.kubectl("create", *options, "--dry-run=client", "-o", "json", *rest).stdout)
    created = json.loads(cluster.kubectl("create", *options, "-o", "json", *rest).stdout)
    assert missing(wanted, created) == []
    assert created["metadata"]["uid"]
