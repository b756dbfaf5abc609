"""Nobody grants more than they hold: the check of Roles and bindings that are written."""

from __future__ import annotations

import json
from dataclasses import replace
from itertools import product
from typing import TYPE_CHECKING, Any

from pytest_smi.embedded.kubeapi import routing, status
from pytest_smi.embedded.kubeapi.rbac import GROUP, MASTERS, Rule

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pytest_smi.embedded.kubeapi.calls import Call
    from pytest_smi.embedded.kubeapi.rbac import Authorizer

Object = dict[str, Any]

_ROLES = ("Role", "ClusterRole")
_BINDINGS = ("RoleBinding", "ClusterRoleBinding")


class Escalation:
    """Asks the authorizer that decides on requests what a writer holds."""

    def __init__(self, authorizer: Authorizer) -> None:
        self._authorizer = authorizer

    def check(self, call: Call, new: Object, old: Object | None) -> None:
        """Raises ApiError: 403 when the writer grants what they do not hold, 404 when they bind a role that is none."""
        if call.resource.group != GROUP or MASTERS in call.user.groups:
            return
        if call.resource.kind in _ROLES:
            if old is not None and new.get("rules") == old.get("rules"):
                return
            wanted: list[Rule] = list(new.get("rules") or ())
            allowed = self._may(call, "escalate", call.resource.plural, new["metadata"]["name"])
        elif call.resource.kind in _BINDINGS:
            if old is not None and (new["roleRef"], new.get("subjects")) == (old["roleRef"], old.get("subjects")):
                return
            reference = new["roleRef"]
            plural = f"{reference['kind'].lower()}s"
            allowed = self._may(call, "bind", plural, reference["name"])
            wanted = [] if allowed else self._bound(reference, plural, call)
        else:
            return
        if not allowed:
            self._confirm(call, wanted, new["metadata"]["name"])

    def _bound(self, reference: Object, plural: str, call: Call) -> list[Rule]:
        found = self._authorizer.rules_of_role(reference, call.target.namespace)
        if found is None:
            raise status.not_found(plural, reference["name"], GROUP)
        return found

    def _may(self, call: Call, verb: str, plural: str, name: str) -> bool:
        action = routing.attributes(call.request, call.target)
        wish = replace(action, verb=verb, resource=plural, subresource="", name=name)
        return self._authorizer.authorize(wish)[0]

    def _confirm(self, call: Call, wanted: Sequence[Rule], name: str) -> None:
        held = self._authorizer.rules_of(call.user, call.target.namespace)
        missing = [part for rule in wanted for part in _parts(rule) if not any(_covers(one, part) for one in held)]
        if missing:
            groups = json.dumps(list(call.user.groups)).replace(", ", " ")
            listed = "\n".join(_shown(part) for part in missing)
            why = (
                f'user "{call.user.name}" (groups={groups}) is attempting to grant RBAC permissions not currently '
                f"held:\n{listed}"
            )
            raise status.forbidden(call.resource.plural, name, GROUP, why)


_LISTS = ("verbs", "apiGroups", "resources", "resourceNames", "nonResourceURLs")


def _parts(rule: Rule) -> list[Rule]:
    """A rule as rules that allow one thing each."""
    given = {name: rule[name] for name in _LISTS if rule.get(name)}
    return [dict(zip(given, ([value] for value in values), strict=True)) for values in product(*given.values())]


def _covers(held: Rule, part: Rule) -> bool:
    """Whether a rule allows the one thing of a part."""
    if ("nonResourceURLs" in part) != bool(held.get("nonResourceURLs")):
        return False
    for name, values in part.items():
        own = held.get(name) or ()
        if name == "resourceNames" and not own:
            continue
        if (
            values[0] not in own
            and not ("*" in own and name != "resourceNames")
            and not _prefixed(name, own, values[0])
        ):
            return False
    return "resourceNames" in part or not held.get("resourceNames")


def _prefixed(name: str, own: Sequence[str], value: str) -> bool:
    if name == "resources":
        return "/" in value and f"*/{value.partition('/')[2]}" in own
    return name == "nonResourceURLs" and any(one.endswith("*") and value.startswith(one[:-1]) for one in own)


def _shown(part: Rule) -> str:
    names = {"apiGroups": "APIGroups", "resources": "Resources", "resourceNames": "ResourceNames"}
    names |= {"nonResourceURLs": "NonResourceURLs", "verbs": "Verbs"}
    order = ("nonResourceURLs", "apiGroups", "resources", "resourceNames", "verbs")
    shown = [f"{names[name]}:{json.dumps(part[name])}" for name in order if name in part]
    return f"{{{', '.join(shown)}}}"
