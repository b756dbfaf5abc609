"""SMI objects as Kubernetes objects: versions that belong together, ordinary tools, extensions of a provider."""

from functools import partial
from typing import Any

from pytest_smi import (
    ANY,
    KINDS,
    Raw,
    Smi,
    TrafficSplit,
    TrafficTarget,
    Workload,
    assert_allowed,
    assert_comes,
    assert_denied,
    assert_shares,
    assert_that,
    requirement,
)

from ..api.bodies import body_of, example_of, write_back

TABLE = "application/json;as=Table;v=v1;g=meta.k8s.io"
PATCHES: dict[str, Any] = {
    "application/merge-patch+json": {"metadata": {"labels": {"brewed": "once"}}},
    "application/json-patch+json": [{"op": "replace", "path": "/metadata/labels/brewed", "value": "twice"}],
}


def is_gone(smi: Smi, path: str) -> bool:
    """Whether there is no object at a path."""
    return smi.api.find(path) is None


@requirement("XG-005")
def test_versions_that_are_declared_compatible_work_together(
    smi: Smi, kettle: Workload, intruder: Workload, teapot: Workload, china: Workload, glass: Workload
) -> None:
    """A TrafficTarget with the routes of each specs version that its document names, and a split beside them."""
    for specs in smi.specs_for("access"):
        with smi.writing(specs=specs):
            smi.apply(TrafficTarget(f"tea-{specs}", [kettle], teapot, [ANY(f"/{specs}$")]))
        assert_allowed(kettle.get(teapot, f"/{specs}"))
        assert_denied(intruder.get(teapot, f"/{specs}"), kettle.get(teapot, "/other"))
    smi.allow(kettle, to=[china, glass])
    smi.apply(TrafficSplit("pour", "teapots", {china: 75, glass: 25}))
    assert_shares(kettle.get(smi.scene.service("teapots", smi.namespace)), {china: 75, glass: 25}, within=0.15)


@requirement("XG-006")
def test_a_grant_survives_being_written_in_another_version(smi: Smi, kettle: Workload, teapot: Workload) -> None:
    """Read and written back in every other version, a TrafficTarget says the same and opens no port more."""
    older = smi.versions.access in ("v1alpha1", "v1alpha2")  # they restrict a grant by the destination's port
    tea = TrafficTarget("tea", [kettle], teapot, [ANY("/pour$")], port=8080 if older else None)
    smi.apply(tea)
    (manifest,) = (one for one in smi.render(tea) if one["kind"] == "TrafficTarget")
    path, own = smi.path(Raw(manifest)), str(smi.versions.access)
    listed = smi.api.get("/apis/access.smi-spec.io")["versions"]
    others = [one["version"] for one in listed if one["version"] != own]
    if not others:
        smi.lacks("conversion", f"TrafficTarget is served in {own} only")
    for other in others:
        write_back(smi, path.replace(own, other, 1))
        back, written = body_of(smi.api.get(path)), body_of(manifest)
        assert_that(smi, back == written, f"after {other} wrote it back it reads as {written}", back)
    assert_allowed(kettle.get(teapot, "/pour", port=8080))
    assert_denied(kettle.get(teapot, "/admin", port=8080))
    if older:
        assert_denied(kettle.get(teapot, "/pour", port=9090))


@requirement("XG-007")
def test_ordinary_tools_handle_the_objects(smi: Smi) -> None:
    """What kubectl does to apply, get, describe, patch, watch and delete an object works for each kind."""
    for kind in smi.kinds():
        example = example_of(smi, kind)
        smi.apply(example)
        path, name = smi.path(example), "example"
        collection = path.rsplit("/", 1)[0]
        table = smi.api.request("GET", collection, accept=TABLE).body
        names = [row["cells"][0] for row in table.get("rows", [])]
        assert_that(smi, name in names, f"kubectl get {KINDS[kind].short} lists the object", names)
        version = smi.api.get(collection)["metadata"]["resourceVersion"]
        for content, patch in PATCHES.items():
            done = smi.api.request("PATCH", path, patch, content=content)
            assert_that(smi, done.code == 200, f"kubectl patch works with {content}", done.body)
        found = [one["metadata"]["name"] for one in smi.api.list(collection, labelSelector="brewed=twice")]
        assert_that(smi, found == [name], f"kubectl get {KINDS[kind].short} -l brewed=twice finds it", found)
        about = f"involvedObject.kind={kind},involvedObject.name={name}"
        smi.api.list(f"/api/v1/namespaces/{smi.namespace}/events", fieldSelector=about)  # what describe asks beside it
        watched = smi.api.watch(collection, seconds=5, resourceVersion=version, fieldSelector=f"metadata.name={name}")
        seen = next(watched, {"type": "nothing"})["type"]
        assert_that(smi, seen == "MODIFIED", f"kubectl get {KINDS[kind].short} --watch shows the change", seen)
        smi.api.delete(path, propagationPolicy="Background")
        gone = partial(is_gone, smi, path)
        assert_comes(smi, gone, f"kubectl delete {KINDS[kind].short} removes it", "a finalizer that nobody takes off")


@requirement("XG-008")
def test_extensions_of_a_provider_are_no_hindrance(
    smi: Smi, kettle: Workload, intruder: Workload, teapot: Workload
) -> None:
    """Foreign annotations and labels change nothing; which kinds a provider adds to the groups of SMI is noted."""
    tea = TrafficTarget("tea", [kettle], teapot, [ANY("/pour$")])
    for manifest in smi.render(tea):
        manifest["metadata"]["annotations"] = {"example.com/steep": "4 minutes"}
        manifest["metadata"]["labels"]["example.com/leaf"] = "oolong"
        smi.apply(Raw(manifest))
    assert_allowed(kettle.get(teapot, "/pour"))
    assert_denied(intruder.get(teapot, "/pour"))
    crds = smi.api.list("/apis/apiextensions.k8s.io/v1/customresourcedefinitions")
    kinds = {crd["spec"]["names"]["kind"] for crd in crds if crd["spec"]["group"].endswith(".smi-spec.io")}
    smi.observe("further kinds in the groups of SMI", sorted(kinds - KINDS.keys()))
