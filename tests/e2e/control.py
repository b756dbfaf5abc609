"""The control plane: etcd, API server, controller manager, scheduler, each a program on the first machine."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.e2e import network
from tests.e2e.builds import built
from tests.e2e.trouble import until

if TYPE_CHECKING:
    from tests.e2e.machine import Machine
    from tests.e2e.pki import Pki

_ETCD = "http://127.0.0.1:2379"
PORT = 6443


def start(machine: Machine, pki: Pki) -> None:
    """Start all four and return when the API server says that it is ready."""
    binaries = built("kubernetes")
    machine.start("etcd", str(built("etcd") / "etcd"), *_etcd(machine))
    machine.start("kube-apiserver", str(binaries / "kube-apiserver"), *_apiserver(machine, pki))
    kubectl = (str(binaries / "kubectl"), "--kubeconfig", pki.file("admin.conf"))

    def serves() -> bool:
        machine.check("etcd")
        machine.check("kube-apiserver")
        return "ok" in machine.run("sh", "-c", f"{' '.join(kubectl)} get --raw /readyz 2>&1 || true")

    until(serves, 90, "the API server", lambda: machine.tail("kube-apiserver"))
    common = ("--kubeconfig", pki.file("admin.conf"), "--leader-elect=false", "--bind-address=127.0.0.1")
    machine.start(
        "kube-controller-manager", str(binaries / "kube-controller-manager"), *common, *_controllers(machine, pki)
    )
    machine.start("kube-scheduler", str(binaries / "kube-scheduler"), *common, f"--cert-dir={machine.folder}/certs")


def _etcd(machine: Machine) -> list[str]:
    peer = "http://127.0.0.1:2380"
    return [
        f"--data-dir={machine.folder}/etcd",
        f"--listen-client-urls={_ETCD}",
        f"--advertise-client-urls={_ETCD}",
        f"--listen-peer-urls={peer}",
        f"--initial-advertise-peer-urls={peer}",
        f"--initial-cluster=default={peer}",
        "--unsafe-no-fsync",  # the cluster does not outlive its machines
        "--log-level=warn",
    ]


def _apiserver(machine: Machine, pki: Pki) -> list[str]:
    return [
        f"--etcd-servers={_ETCD}",
        "--bind-address=0.0.0.0",
        f"--secure-port={PORT}",
        f"--advertise-address={network.address(0)}",
        f"--service-cluster-ip-range={network.SERVICES}",
        f"--client-ca-file={pki.file('ca.crt')}",
        f"--tls-cert-file={pki.file('apiserver.crt')}",
        f"--tls-private-key-file={pki.file('apiserver.key')}",
        f"--service-account-key-file={pki.file('sa.crt')}",
        f"--service-account-signing-key-file={pki.file('sa.key')}",
        "--service-account-issuer=https://kubernetes.default.svc.cluster.local",
        "--authorization-mode=Node,RBAC",
        "--allow-privileged",
        # Names of nodes are in no DNS: exec, logs and port-forward reach kubelets by address.
        "--kubelet-preferred-address-types=InternalIP",
        f"--kubelet-client-certificate={pki.file('admin.crt')}",
        f"--kubelet-client-key={pki.file('admin.key')}",
        f"--cert-dir={machine.folder}/certs",
    ]


def _controllers(machine: Machine, pki: Pki) -> list[str]:
    return [
        f"--service-account-private-key-file={pki.file('sa.key')}",
        f"--root-ca-file={pki.file('ca.crt')}",
        f"--cluster-signing-cert-file={pki.file('ca.crt')}",
        f"--cluster-signing-key-file={pki.file('ca.key')}",
        "--use-service-account-credentials",
        "--kube-api-qps=200",
        "--kube-api-burst=400",
        f"--cert-dir={machine.folder}/certs",
    ]
