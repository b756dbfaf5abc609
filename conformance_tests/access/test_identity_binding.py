"""Access, IdentityBinding (v1alpha4, never released): policy identities that stand for more than a ServiceAccount."""

from typing import Any

from pytest_smi import (
    ANY,
    Identity,
    IdentityBinding,
    Raw,
    Smi,
    TrafficTarget,
    Workload,
    assert_allowed,
    assert_denied,
    assert_rejected,
    assert_that,
    certificate_of,
    is_allowed,
    requirement,
)

POUR = ANY("/pour$", name="pour")
STIR = ANY("/stir$", name="stir")


def spiffe(workload: Workload) -> str:
    """The SPIFFE id of a workload's ServiceAccount, as Kubernetes meshes write it."""
    return f"spiffe://cluster.local/ns/{workload.namespace}/sa/{workload.identity.name}"


def good(source: Workload, destination: Workload) -> TrafficTarget:
    """Stands beside the TrafficTarget under test; once this is in force the mesh has read the other too."""
    return TrafficTarget("good", [source], destination, [STIR])


@requirement("TA-150")
def test_a_binding_may_name_a_service_account(smi: Smi, kettle: Workload, teapot: Workload, cosy: Workload) -> None:
    """The binding stands for the pods of that ServiceAccount."""
    pots = IdentityBinding("pots", service_account="teapot")
    smi.apply(pots, TrafficTarget("tea", [kettle], pots, [POUR]))
    assert_allowed(kettle.get(teapot, "/pour"))
    assert_denied(kettle.get(cosy, "/pour"))


@requirement("TA-151")
def test_a_binding_may_select_pods_by_labels(smi: Smi, kettle: Workload, china: Workload, glass: Workload) -> None:
    """All the labels must be there: a pod that lacks one is not bound."""
    pots = IdentityBinding("pots", match_labels={"app": "teapots", "version": "china"})
    smi.apply(pots, TrafficTarget("tea", [kettle], pots, [POUR]))
    assert_allowed(kettle.get(china, "/pour"))
    assert_denied(kettle.get(glass, "/pour"))


@requirement("TA-152")
def test_a_binding_may_name_spiffe_ids(smi: Smi, kettle: Workload, intruder: Workload, teapot: Workload) -> None:
    """A peer with that SPIFFE id is let in, another is not."""
    clients = IdentityBinding("clients", spiffe=[spiffe(kettle)])
    smi.apply(clients, TrafficTarget("tea", [clients], teapot, [POUR]))
    assert_allowed(kettle.get(teapot, "/pour"))
    assert_denied(intruder.get(teapot, "/pour"))


@requirement("TA-153")
def test_schemes_are_alternatives(
    smi: Smi, kettle: Workload, cosy: Workload, intruder: Workload, teapot: Workload
) -> None:
    """A ServiceAccount and a SPIFFE id in one binding: either is enough."""
    clients = IdentityBinding("clients", service_account="kettle", spiffe=[spiffe(cosy)])
    smi.apply(clients, TrafficTarget("tea", [clients], teapot, [POUR]))
    assert_allowed(kettle.get(teapot, "/pour"), cosy.get(teapot, "/pour"))
    assert_denied(intruder.get(teapot, "/pour"))


@requirement("TA-154")
def test_spiffe_ids_are_alternatives(
    smi: Smi, kettle: Workload, cosy: Workload, intruder: Workload, teapot: Workload
) -> None:
    """Each of several SPIFFE ids is enough."""
    clients = IdentityBinding("clients", spiffe=[spiffe(kettle), spiffe(cosy)])
    smi.apply(clients, TrafficTarget("tea", [clients], teapot, [POUR]))
    assert_allowed(kettle.get(teapot, "/pour"), cosy.get(teapot, "/pour"))
    assert_denied(intruder.get(teapot, "/pour"))


@requirement("TA-155")
def test_labels_and_service_account_exclude_each_other(smi: Smi, kettle: Workload, teapot: Workload) -> None:
    """The document forbids both in one binding (its own example has both): refused, or it is seen what holds."""
    both = IdentityBinding("clients", service_account="kettle", match_labels={"app": "intruder"})
    refusal = smi.refused(both)
    smi.observe("refused", refusal is not None)
    smi.apply(good(kettle, teapot))
    assert_allowed(kettle.get(teapot, "/stir"))
    if refusal is None:
        smi.apply(
            TrafficTarget("tea", [both], teapot, [POUR]), TrafficTarget("good", [kettle], teapot, [ANY("/mark$")])
        )
        assert_allowed(kettle.get(teapot, "/mark"))
        smi.observe("the ServiceAccount holds", is_allowed(kettle.get(teapot, "/pour")))


@requirement("TA-156")
def test_the_service_account_is_of_the_bindings_namespace(
    smi: Smi, kettle2: Workload, teapot: Workload, teapot2: Workload
) -> None:
    """A binding for ServiceAccount teapot binds the one beside it, not its namesake."""
    pots = IdentityBinding("pots", service_account="teapot", namespace=smi.namespace2)
    smi.apply(pots, TrafficTarget("tea", [kettle2], pots, [POUR], namespace=smi.namespace2))
    assert_allowed(kettle2.get(teapot2, "/pour"))
    assert_denied(kettle2.get(teapot, "/pour"))


@requirement("TA-157")
def test_the_namespace_bounds_every_scheme(smi: Smi, kettle: Workload, kettle2: Workload, teapot2: Workload) -> None:
    """Neither labels nor a SPIFFE id bind a pod of another namespace."""
    ids = [spiffe(kettle), spiffe(kettle2)]
    clients = IdentityBinding("clients", spiffe=ids, match_labels={"app": "kettle"}, namespace=smi.namespace2)
    smi.apply(clients, TrafficTarget("tea", [clients], teapot2, [POUR], namespace=smi.namespace2))
    assert_allowed(kettle2.get(teapot2, "/pour"))
    assert_denied(kettle.get(teapot2, "/pour"))


@requirement("TA-158")
def test_a_binding_elsewhere_cannot_weaken_access(
    smi: Smi, kettle: Workload, intruder: Workload, teapot: Workload
) -> None:
    """Someone else's binding of the same name, however wide, lets nobody in."""
    clients = IdentityBinding("clients", service_account="kettle")
    wider = IdentityBinding("clients", "intruder", [spiffe(intruder)], namespace=smi.namespace2)
    smi.apply(wider, clients, TrafficTarget("tea", [clients], teapot, [POUR]))
    assert_allowed(kettle.get(teapot, "/pour"))
    assert_denied(intruder.get(teapot, "/pour"))


@requirement("TA-159")
def test_a_binding_may_be_the_destination(smi: Smi, kettle: Workload, intruder: Workload, teapot: Workload) -> None:
    """Kind IdentityBinding with its group; the sources decide as ever."""
    pots = IdentityBinding("pots", service_account="teapot")
    smi.apply(pots, TrafficTarget("tea", [kettle], pots, [POUR]))
    assert_allowed(kettle.get(teapot, "/pour"))
    assert_denied(intruder.get(teapot, "/pour"))


@requirement("TA-160")
def test_a_binding_may_be_a_source(smi: Smi, kettle: Workload, intruder: Workload, teapot: Workload) -> None:
    """Who is bound is let in, who is not is not."""
    clients = IdentityBinding("clients", service_account="kettle")
    smi.apply(clients, TrafficTarget("tea", [clients], teapot, [POUR]))
    assert_allowed(kettle.get(teapot, "/pour"))
    assert_denied(intruder.get(teapot, "/pour"))


@requirement("TA-161")
def test_service_accounts_are_still_subjects(smi: Smi, kettle: Workload, intruder: Workload, teapot: Workload) -> None:
    """v1alpha4 adds a kind of subject and takes none away."""
    smi.apply(TrafficTarget("tea", [kettle], teapot, [POUR]))
    assert_allowed(kettle.get(teapot, "/pour"))
    assert_denied(intruder.get(teapot, "/pour"))


@requirement("TA-162")
def test_kinds_of_sources_may_be_mixed(
    smi: Smi, kettle: Workload, cosy: Workload, intruder: Workload, teapot: Workload
) -> None:
    """A binding and a ServiceAccount in one list of sources are both let in."""
    clients = IdentityBinding("clients", service_account="kettle")
    smi.apply(clients, TrafficTarget("tea", [clients, cosy], teapot, [POUR]))
    assert_allowed(kettle.get(teapot, "/pour"), cosy.get(teapot, "/pour"))
    assert_denied(intruder.get(teapot, "/pour"))


@requirement("TA-163")
def test_a_missing_binding_grants_nothing(smi: Smi, kettle: Workload, teapot: Workload) -> None:
    """Until it is created; then the grant comes to life."""
    clients = IdentityBinding("clients", service_account="kettle")
    smi.apply(TrafficTarget("tea", [clients], teapot, [POUR]), good(kettle, teapot))
    assert_allowed(kettle.get(teapot, "/stir"))
    assert_denied(kettle.get(teapot, "/pour"))
    smi.apply(clients)
    assert_allowed(kettle.get(teapot, "/pour"))


@requirement("TA-164")
def test_editing_and_deleting_a_binding_is_followed(
    smi: Smi, kettle: Workload, cosy: Workload, teapot: Workload
) -> None:
    """The TrafficTarget is not touched for it."""
    clients = IdentityBinding("clients", service_account="kettle")
    smi.apply(clients, TrafficTarget("tea", [clients], teapot, [POUR]))
    assert_allowed(kettle.get(teapot, "/pour"))
    smi.apply(IdentityBinding("clients", service_account="cosy"))
    assert_allowed(cosy.get(teapot, "/pour"))
    assert_denied(kettle.get(teapot, "/pour"))
    smi.delete(clients)
    assert_denied(cosy.get(teapot, "/pour"))


@requirement("TA-165")
def test_observe_a_subject_without_group(smi: Smi, kettle: Workload, teapot: Workload) -> None:
    """May `group` be left out for kind IdentityBinding?"""
    clients = IdentityBinding("clients", service_account="kettle")
    bare = Identity("clients", kind="IdentityBinding")
    smi.observe("refused", smi.refused(clients, TrafficTarget("tea", [bare], teapot, [POUR])) is not None)
    smi.apply(good(kettle, teapot))
    assert_allowed(kettle.get(teapot, "/stir"))
    smi.observe("it is understood", is_allowed(kettle.get(teapot, "/pour")))


@requirement("TA-166")
def test_a_binding_needs_a_scheme(smi: Smi) -> None:
    """No scheme at all, or an empty one, is refused."""
    empty: list[dict[str, Any]] = [
        {},
        {"spiffeIdentities": []},
        {"podLabelSelector": {"matchLabels": {}}},
        {"serviceAccount": ""},
    ]
    for schemes in empty:
        manifest = smi.render(IdentityBinding("clients", service_account="kettle"))[0]
        assert_rejected(smi, Raw({**manifest, "spec": {"schemes": schemes}}))


@requirement("TA-167")
def test_a_spiffe_id_that_is_none_binds_nobody(
    smi: Smi, kettle: Workload, intruder: Workload, teapot: Workload
) -> None:
    """It is refused, or of no effect."""
    clients = IdentityBinding("clients", spiffe=["https://example.com", "spiffe://", "*"])
    smi.observe("refused", smi.refused(clients) is not None)
    smi.apply(TrafficTarget("tea", [clients], teapot, [POUR]), good(kettle, teapot))
    assert_allowed(kettle.get(teapot, "/stir"))
    assert_denied(kettle.get(teapot, "/pour"), intruder.get(teapot, "/pour"))


@requirement("TA-168")
def test_identity_shows_in_the_certificate(smi: Smi, kettle: Workload, outsider: Workload, teapot: Workload) -> None:
    """The names in a server's X.509 certificate say which ServiceAccount it runs under."""
    smi.apply(TrafficTarget("tea", [kettle], teapot, [POUR]))
    assert_allowed(kettle.get(teapot, "/pour"))
    shown = certificate_of(outsider, teapot)
    if shown is None:
        smi.lacks("certificates", "the server's side answers no TLS handshake from outside of the mesh")
    names = {"subject": shown.subject, "alternative names": shown.alternative}
    found = [where for where, them in names.items() if any("teapot" in name for name in them)]
    assert_that(smi, bool(found), "the certificate names the ServiceAccount teapot", names)
    smi.observe("the ServiceAccount is named in", found)


@requirement("TA-170")
def test_a_service_in_two_namespaces_has_a_binding_in_each(
    smi: Smi, kettle: Workload, teapot: Workload, teapot2: Workload
) -> None:
    """One binding and one TrafficTarget for each namespace open both."""
    for namespace in (smi.namespace, smi.namespace2):
        pots = IdentityBinding("pots", service_account="teapot", namespace=namespace)
        smi.apply(pots, TrafficTarget("tea", [kettle], pots, [POUR], namespace=namespace))
    assert_allowed(kettle.get(teapot, "/pour"), kettle.get(teapot2, "/pour"))
    assert_denied(kettle.get(teapot, "/stir"), kettle.get(teapot2, "/stir"))


@requirement("TA-171")
def test_bindings_may_overlap(smi: Smi, kettle: Workload, cosy: Workload, teapot: Workload) -> None:
    """Two bindings stand for one workload: the grants of both add up, and each keeps its own sources."""
    accounts = IdentityBinding("accounts", service_account="teapot")
    labels = IdentityBinding("labels", match_labels={"app": "teapot"})
    smi.apply(accounts, TrafficTarget("tea", [kettle], accounts, [POUR]))
    smi.apply(labels, TrafficTarget("milk", [cosy], labels, [STIR]))
    assert_allowed(kettle.get(teapot, "/pour"), cosy.get(teapot, "/stir"))
    assert_denied(kettle.get(teapot, "/stir"), cosy.get(teapot, "/pour"))
