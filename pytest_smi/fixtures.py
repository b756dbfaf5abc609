"""The fixtures: smi_cluster -> smi_mesh -> smi_workload -> smi. Each is small, and each can be overridden.

Heavy imports happen inside, since the plugin imports this module in every pytest run.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pytest_smi.cluster.base import Cluster
    from pytest_smi.cluster.turns import Turns
    from pytest_smi.evidence import Case
    from pytest_smi.mesh.lifecycle import Mesh
    from pytest_smi.run import Run
    from pytest_smi.workload.scene import Scene
    from pytest_smi.workload.smi import Smi


def _run(config: pytest.Config) -> Run:
    from pytest_smi.run import RUN

    run = config.stash.get(RUN, None)
    if run is None:
        pytest.fail("this test judges a mesh: name one, e.g. pytest --smi-mesh=reference", pytrace=False)
    return run


@pytest.fixture(scope="session")
def smi_cluster(pytestconfig: pytest.Config) -> Iterator[Cluster]:
    """A reachable cluster: started for this process (embedded), there already, or made once for all processes."""
    run = _run(pytestconfig)
    if run.cluster:  # opened before the tests, and closed after them
        yield run.cluster
        return
    cluster = run.open_cluster()
    try:
        run.facts["cluster"] = cluster.facts()
        yield cluster
    finally:
        cluster.close()


@pytest.fixture(scope="session")
def smi_started(
    pytestconfig: pytest.Config, smi_cluster: Cluster, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Mesh]:
    """The mesh, on its way up: the scene is deployed meanwhile. Tests use `smi_mesh`."""
    from pytest_smi.mesh.lifecycle import Mesh

    run = _run(pytestconfig)
    mesh = Mesh(run.profile, smi_cluster, tmp_path_factory.mktemp("smi-mesh"), run.settings.fault, run.settings.flags)
    run.mesh = mesh
    try:
        yield mesh
    finally:
        mesh.close()


@pytest.fixture(scope="session")
def smi_mesh(pytestconfig: pytest.Config, smi_started: Mesh) -> Mesh:
    """The mesh under judgement, ready."""
    smi_started.wait()
    _run(pytestconfig).facts["mesh"] = smi_started.facts()
    return smi_started


@pytest.fixture(scope="session")
def smi_turns(pytestconfig: pytest.Config, tmp_path_factory: pytest.TempPathFactory) -> Turns:
    """Turns among the workers of a run that share a cluster; each embedded cluster belongs to one process alone."""
    from pytest_smi.cluster.turns import Turns

    run, own = _run(pytestconfig), tmp_path_factory.getbasetemp()
    return Turns(own.parent if run.is_worker and run.cluster_provider != "embedded" else own)


@pytest.fixture(scope="session")
def smi_workload(
    pytestconfig: pytest.Config,
    smi_cluster: Cluster,
    smi_started: Mesh,
    smi_turns: Turns,
    request: pytest.FixtureRequest,
) -> Iterator[Scene]:
    """The standing scene, every pod ready and its agent reachable."""
    from contextlib import suppress

    from pytest_smi.errors import ClusterEnded, ClusterError
    from pytest_smi.workload.manifests import IMAGE
    from pytest_smi.workload.scene import Scene

    run = _run(pytestconfig)
    image = run.settings.image or IMAGE
    who = run.processes
    scene = run.scene = Scene(smi_cluster, run.profile, run.id, image, forced=run.settings.force, worker=who.worker)
    try:
        if run.settings.image:
            smi_cluster.load_image(image)
        with smi_turns.taken():
            scene.deploy()
            request.getfixturevalue("smi_mesh")
            scene.wait()
        run.facts["scene"] = {"namespaces": [scene.namespace, scene.namespace2]}
        yield scene
    finally:
        if run.settings.keep:
            _hold(pytestconfig, smi_cluster)
        # The scene has ended with its cluster; where that is only away, the run has told so already.
        with suppress(ClusterError if "stopped" in run.facts else ClusterEnded):
            smi_cluster.check()
            scene.close()


@pytest.fixture
def smi(request: pytest.FixtureRequest, smi_workload: Scene, smi_mesh: Mesh, smi_turns: Turns) -> Iterator[Smi]:
    """The context of the running test: apply SMI objects, find workloads, record observations.

    What the test applied is deleted afterwards, and calls that it saw allowed are watched until they are denied again.
    A cluster or mesh of ours that has ended, before the test or during it, is an error and no verdict.
    """
    from functools import partial

    from pytest_smi.spec.releases import ApiVersions
    from pytest_smi.workload.leave import catch_up, leave, retire
    from pytest_smi.workload.smi import Smi

    smi_workload.cluster.check()
    smi_mesh.check()
    case = _case(request)
    versions = ApiVersions(**case.instance.versions)
    encoding = smi_mesh.header_encoding(smi_workload.cluster, versions.specs)
    alone, restarts = smi_mesh.profile.has_to_itself(case.instance.requirement), smi_mesh.restarts
    with smi_turns.taken(alone=alone):
        smi = Smi(smi_workload, smi_mesh, case, versions, encoding)
        smi_workload.smi = smi
        try:
            retire(smi, request.fixturenames)
            yield smi
        finally:
            try:
                smi_workload.cluster.check()
                if not _stays(request):
                    harmed = alone and _failed(request)
                    followed = leave(smi, partial(_mend, case, smi_mesh) if harmed else None)
                    if smi_mesh.restarts > restarts and not followed:
                        retire(smi)  # what is allowed already would show no change
                        catch_up(smi)
                smi_mesh.check()
            finally:
                smi_workload.smi = None


def _failed(request: pytest.FixtureRequest) -> bool:
    from pytest_smi.run import TRIAL

    trial = request.node.stash.get(TRIAL, None)
    return trial is not None and any(phase.kind == "nonconformance" for phase in trial.phases)


def _mend(case: Case, mesh: Mesh) -> None:
    """A mesh that was harmed may need longer than any budget to come back: later tests are not to pay for this one."""
    if mesh.restartable():
        with case.step("mend", "restart the control plane, which this test may have harmed"):
            mesh.restart_control_plane()


def _case(request: pytest.FixtureRequest) -> Any:
    """The case of the item's trial; a test without a requirement gets one of its own, which is not reported."""
    from pytest_smi.evidence import Case, Instance
    from pytest_smi.run import TRIAL

    trial = request.node.stash.get(TRIAL, None)
    if trial is not None:
        return trial.case
    return Case(Instance("", "", "", "", "own", _newest_versions(_run(request.config)), request.node.name))


def _newest_versions(run: Run) -> dict[str, str]:
    """The newest API versions that the mesh serves and that fit together."""
    from pytest_smi.spec.releases import companions

    served = run.profile.versions.served()
    choices = [companions(area, max(served[area]), served) for area in ("access", "split") if served[area]]
    return next((versions.as_dict() for versions in choices if versions), {})


def _stays(request: pytest.FixtureRequest) -> bool:
    from pytest_smi.run import LAST

    return bool(_run(request.config).settings.keep and request.node.stash.get(LAST, False))


def _hold(config: pytest.Config, cluster: Cluster) -> None:
    """Keep everything up until Ctrl-C, and say how to look at it."""
    import signal

    terminal: Any = config.pluginmanager.get_plugin("terminalreporter")
    capture: Any = config.pluginmanager.get_plugin("capturemanager")
    with capture.global_and_fixture_disabled():
        terminal.write_line("")
        where = f"--kubeconfig {cluster.kubeconfig} " if cluster.kubeconfig else ""
        terminal.write_line(f"smi: kept; look with: kubectl {where}get ts,tt,htr -A")
        terminal.write_line("smi: Ctrl-C ends it")
        terminal.flush()
        try:
            signal.sigwait({signal.SIGINT, signal.SIGTERM})
        except KeyboardInterrupt:
            return
