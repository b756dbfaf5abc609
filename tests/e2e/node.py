"""A node: containerd, kubelet and kube-proxy on one machine, with pods in a routed network of their own."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING

import yaml

from tests.e2e import cgroups, network
from tests.e2e.builds import built
from tests.e2e.trouble import until

if TYPE_CHECKING:
    from tests.e2e.machine import Machine
    from tests.e2e.pki import Pki

PAUSE = "registry.k8s.io/pause:3.10"


def start(machine: Machine, pki: Pki, index: int) -> None:
    """Start the node's three programs; the cluster waits until the node is ready."""
    binaries = built("kubernetes")
    _configure(machine, pki, index)
    machine.start("containerd", "containerd", "--config", f"{machine.folder}/containerd.toml")
    until(lambda: _serves(machine), 30, "containerd", lambda: machine.tail("containerd"))  # kubelet ends without it
    machine.start(
        "kubelet",
        str(binaries / "kubelet"),
        f"--config={machine.folder}/kubelet.yaml",
        f"--kubeconfig={pki.file(f'{machine.name}.conf')}",
        f"--hostname-override={machine.name}",
        f"--node-ip={network.address(index)}",
        f"--root-dir={machine.folder}/kubelet",
        f"--cert-dir={machine.folder}/certs",
    )
    machine.start(
        "kube-proxy",
        str(binaries / "kube-proxy"),
        f"--kubeconfig={pki.file('admin.conf')}",
        f"--hostname-override={machine.name}",
        "--proxy-mode=iptables",
        f"--cluster-cidr={network.PODS}",
        "--iptables-min-sync-period=200ms",
        # These are the host's to set, not a network namespace's.
        *("--conntrack-max-per-core=0", "--conntrack-min=0"),
        *("--conntrack-tcp-timeout-established=0", "--conntrack-tcp-timeout-close-wait=0"),
    )


def _serves(machine: Machine) -> bool:
    machine.check("containerd")
    return "yes" in machine.run("sh", "-c", "ctr version >/dev/null 2>&1 && echo yes || true")


def _configure(machine: Machine, pki: Pki, index: int) -> None:
    folder = machine.folder
    (folder / "cni-conf").mkdir()
    (folder / "cni-conf" / "10-pods.conflist").write_text(json.dumps(_pod_network(folder, index), indent=1))
    (folder / "containerd.toml").write_text(_containerd(folder))
    (folder / "kubelet.yaml").write_text(yaml.safe_dump(_kubelet(machine, pki)))


def _pod_network(folder: Path, index: int) -> dict[str, object]:
    """Each pod on a link of its own, so that all its traffic is routed and passes kube-proxy's rules, unmasqueraded."""
    ipam = {
        "type": "host-local",
        "dataDir": f"{folder}/addresses",
        "ranges": [[{"subnet": network.pods(index)}]],
        "routes": [{"dst": "0.0.0.0/0"}],
    }
    plugins = [
        {"type": "ptp", "ipMasq": False, "ipam": ipam},
        {"type": "portmap", "capabilities": {"portMappings": True}},
    ]
    return {"cniVersion": "0.4.0", "name": "pods", "plugins": plugins}


def _containerd(folder: Path) -> str:
    return f"""
version = 2
root = "{folder}/containerd"
state = "/run/containerd"
[grpc]
  address = "/run/containerd/containerd.sock"
[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = "{PAUSE}"
  # Without the capability SYS_RESOURCE scores cannot be lowered.
  restrict_oom_score_adj = {str(not _may_lower_scores()).lower()}
  [plugins."io.containerd.grpc.v1.cri".cni]
    bin_dir = "/usr/lib/cni"
    conf_dir = "{folder}/cni-conf"
"""


def _may_lower_scores() -> bool:
    status = Path("/proc/self/status").read_text("ascii")
    effective = next(line for line in status.splitlines() if line.startswith("CapEff"))
    return bool(int(effective.split()[1], 16) >> 24 & 1)  # CAP_SYS_RESOURCE


def _kubelet(machine: Machine, pki: Pki) -> dict[str, object]:
    return {
        "apiVersion": "kubelet.config.k8s.io/v1beta1",
        "kind": "KubeletConfiguration",
        "authentication": {"anonymous": {"enabled": False}, "x509": {"clientCAFile": pki.file("ca.crt")}},
        "authorization": {"mode": "Webhook"},
        "containerRuntimeEndpoint": "unix:///run/containerd/containerd.sock",
        "tlsCertFile": pki.file(f"{machine.name}-kubelet.crt"),
        "tlsPrivateKeyFile": pki.file(f"{machine.name}-kubelet.key"),
        "cgroupDriver": "cgroupfs",
        "cgroupRoot": cgroups.of(machine.name),
        "enforceNodeAllocatable": [],
        "failSwapOn": False,
        "clusterDNS": [network.DNS_SERVICE],
        "clusterDomain": "cluster.local",
        "resolvConf": os.devnull,
        "maxPods": 200,
        "serializeImagePulls": False,
        "kubeAPIQPS": 200,
        "kubeAPIBurst": 400,
        "podLogsDir": f"{machine.folder}/podlogs",
        "evictionHard": {"memory.available": "100Mi", "nodefs.available": "1%", "imagefs.available": "1%"},
        "imageGCHighThresholdPercent": 100,
    }
