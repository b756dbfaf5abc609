"""Grants -> Envoy RBAC rules. No grant makes no policy, and RBAC without a policy that fits denies."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_smi.embedded.mesh.envoy_base import CLIENT, Resource, client_state, typed

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from pytest_smi.embedded.mesh.model import Grant, HttpMatch, Pod, Principal

RBAC = "envoy.filters.http.rbac"

_AUTHORITY = "host"


def enforce(grants: Iterable[Grant]) -> Resource:
    """`typed_per_filter_config` of a route that lets in what the grants say, by the caller's certificate."""
    return _per_route(grants, _by_certificate)


def enforce_at_client(grants: Iterable[Grant], pods: Iterable[Pod]) -> Resource:
    """The same at the client's side, where the caller is known as a pod of this mesh and has shown no certificate."""
    known = list(pods)

    def by_address(principal: Principal) -> Iterator[Resource]:
        for pod in known:
            if principal in pod.principals:
                yield {"filter_state": {"key": CLIENT, "string_match": {"exact": client_state(pod)}}}

    return _per_route(grants, by_address)


def _per_route(grants: Iterable[Grant], shown: Callable[[Principal], Iterator[Resource]]) -> Resource:
    policies: Resource = {}
    for grant in grants:
        ordered = sorted(grant.principals, key=lambda principal: (principal.kind, principal.value))
        principals = [rule for principal in ordered for rule in shown(principal)]
        permissions = [{"any": True}] if grant.matches is None else [permission(match) for match in grant.matches]
        if principals and permissions:
            policies[f"grant-{len(policies)}"] = {"permissions": permissions, "principals": principals}
    rules = {"action": "ALLOW", "policies": policies}
    return {RBAC: typed("extensions.filters.http.rbac.v3.RBACPerRoute", rbac={"rules": rules})}


def _by_certificate(principal: Principal) -> Iterator[Resource]:
    if principal.kind == "any":
        yield {"any": True}
    else:
        yield {"authenticated": {"principal_name": {"exact": principal.value}}}


def permission(match: HttpMatch) -> Resource:
    """What a request must be like. The path is matched without its query, whole, as it was sent."""
    rules: list[Resource] = []
    if match.path is not None:
        rules.append({"url_path": {"path": {"safe_regex": {"regex": match.path}}}})
    if match.methods is not None:
        rules.append(_any([{"header": exact_header(":method", method)} for method in sorted(match.methods)]))
    headers: list[Resource] = [{"header": header(name, pattern)} for name, pattern in match.headers]
    rules += [_any(headers)] if match.any_header and headers else headers
    if match.absent:
        rules.append({"not_rule": {"header": {"name": match.absent, "present_match": True}}})
    return {"and_rules": {"rules": rules}} if rules else {"any": True}


def _any(rules: list[Resource]) -> Resource:
    return rules[0] if len(rules) == 1 else {"or_rules": {"rules": rules}}


def header(name: str, pattern: str) -> Resource:
    """A header whose value matches a pattern; an absent header does not match (TSC-046)."""
    return {
        "name": ":authority" if name == _AUTHORITY else name,
        "string_match": {"safe_regex": {"regex": pattern}},
    }


def exact_header(name: str, value: str) -> Resource:
    """A header with exactly this value."""
    return {"name": name, "string_match": {"exact": value}}
