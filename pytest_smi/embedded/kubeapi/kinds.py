"""The kinds that the server serves: a table of the built-ins, and the shape that custom resources share with them."""

from dataclasses import dataclass, field
from typing import Any

from pytest_smi.embedded.kubeapi import types

ALL_VERBS = ("create", "delete", "deletecollection", "get", "list", "patch", "update", "watch")


@dataclass(slots=True, frozen=True)
class Column:
    """One column of the Table output; `path` is a JSONPath, `type` a column type of the Table API."""

    name: str
    type: str
    path: str
    format: str = ""
    description: str = ""
    priority: int = 0


@dataclass(slots=True, frozen=True, eq=False)
class Resource:
    """One resource of one group and version, as discovery shows it and as requests address it."""

    group: str
    version: str
    kind: str
    plural: str
    singular: str
    namespaced: bool
    short_names: tuple[str, ...] = ()
    categories: tuple[str, ...] = ()
    subresources: tuple[str, ...] = ()
    list_kind: str = ""
    schema: dict[str, Any] = field(default_factory=dict)
    columns: tuple[Column, ...] = ()
    storage_version: str = ""
    builtin: bool = True
    crd: dict[str, Any] | None = None
    scale: dict[str, str] | None = None
    selectable: tuple[str, ...] = ()
    warning: str = ""
    verbs: tuple[str, ...] = ALL_VERBS

    @property
    def key(self) -> tuple[str, str]:
        """What the store files objects under: every version of a resource is one collection."""
        return self.group, self.plural

    @property
    def api_version(self) -> str:
        """As objects carry it: `v1` or `group/version`."""
        return f"{self.group}/{self.version}" if self.group else self.version

    @property
    def has_status(self) -> bool:
        """Whether status is a subresource of its own."""
        return "status" in self.subresources


@dataclass(slots=True, frozen=True)
class _Row:
    group: str
    version: str
    kind: str
    plural: str
    namespaced: bool
    short: str = ""
    subresources: str = ""
    categories: str = ""
    fields: str = ""


_TABLE = (
    _Row("", "v1", "Namespace", "namespaces", False, "ns", "status finalize", fields="status.phase"),
    _Row("", "v1", "Node", "nodes", False, "no", "status", fields="spec.unschedulable"),
    _Row(
        "",
        "v1",
        "Pod",
        "pods",
        True,
        "po",
        "status binding log exec attach portforward",
        "all",
        "spec.nodeName spec.restartPolicy spec.schedulerName spec.serviceAccountName status.phase status.podIP "
        "status.nominatedNodeName",
    ),
    _Row("", "v1", "Service", "services", True, "svc", "status", "all", "spec.clusterIP spec.type"),
    _Row("", "v1", "Endpoints", "endpoints", True, "ep"),
    _Row("", "v1", "ServiceAccount", "serviceaccounts", True, "sa", "token"),
    _Row("", "v1", "ConfigMap", "configmaps", True, "cm"),
    _Row("", "v1", "Secret", "secrets", True, fields="type"),
    _Row(
        "",
        "v1",
        "Event",
        "events",
        True,
        "ev",
        fields="involvedObject.kind involvedObject.namespace involvedObject.name involvedObject.uid "
        "involvedObject.apiVersion involvedObject.resourceVersion involvedObject.fieldPath reason "
        "reportingComponent source type",
    ),
    _Row("apps", "v1", "Deployment", "deployments", True, "deploy", "status scale", "all"),
    _Row("apps", "v1", "ReplicaSet", "replicasets", True, "rs", "status scale", "all", "status.replicas"),
    _Row("discovery.k8s.io", "v1", "EndpointSlice", "endpointslices", True),
    _Row("rbac.authorization.k8s.io", "v1", "Role", "roles", True),
    _Row("rbac.authorization.k8s.io", "v1", "RoleBinding", "rolebindings", True),
    _Row("rbac.authorization.k8s.io", "v1", "ClusterRole", "clusterroles", False),
    _Row("rbac.authorization.k8s.io", "v1", "ClusterRoleBinding", "clusterrolebindings", False),
    _Row(
        "apiextensions.k8s.io",
        "v1",
        "CustomResourceDefinition",
        "customresourcedefinitions",
        False,
        "crd crds",
        "status",
        "api-extensions",
    ),
    _Row("apiregistration.k8s.io", "v1", "APIService", "apiservices", False, "", "status", "api-extensions"),
    _Row("coordination.k8s.io", "v1", "Lease", "leases", True),
)


def _columns(text: str) -> tuple[Column, ...]:
    """`Name:type:path` items; a `*` before the name hides the column from the narrow output."""
    columns = []
    for item in text.split():
        name, kind, path = item.split(":", 2)
        hidden = name.startswith("*")
        columns.append(Column(name.lstrip("*").replace("_", " "), kind, path, priority=1 if hidden else 0))
    return (Column("Name", "string", ".metadata.name", "name"), *columns)


_AGE = "Age:date:.metadata.creationTimestamp"
_COLUMNS = {
    "Namespace": f"Status:string:.status.phase {_AGE}",
    "Node": f"Status:string:@node_status Roles:string:@node_roles {_AGE} "
    "Version:string:.status.nodeInfo.kubeletVersion",
    "Pod": f"Ready:string:@pod_ready Status:string:@pod_status Restarts:string:@pod_restarts {_AGE} "
    "*IP:string:.status.podIP *Node:string:.spec.nodeName *Nominated_Node:string:.status.nominatedNodeName "
    "*Readiness_Gates:string:.spec.readinessGates[*].conditionType",
    "Service": "Type:string:.spec.type Cluster-IP:string:.spec.clusterIP External-IP:string:@service_external "
    f"Port(s):string:@service_ports {_AGE} *Selector:string:@service_selector",
    "Endpoints": f"Endpoints:string:@endpoints {_AGE}",
    "ServiceAccount": _AGE,
    "ConfigMap": f"Data:string:@data_count {_AGE}",
    "Secret": f"Type:string:.type Data:string:@data_count {_AGE}",
    "Event": "Last_Seen:date:@event_seen Type:string:.type Reason:string:.reason Object:string:@event_object "
    "*Subobject:string:.involvedObject.fieldPath *Source:string:@event_source Message:string:.message",
    "Deployment": "Ready:string:@deployment_ready Up-to-date:integer:@deployment_updated "
    f"Available:integer:@deployment_available {_AGE} *Containers:string:@container_names "
    "*Images:string:@container_images *Selector:string:@selector",
    "ReplicaSet": "Desired:integer:.spec.replicas Current:integer:@status_replicas Ready:integer:@ready_replicas "
    f"{_AGE} *Containers:string:@container_names *Images:string:@container_images *Selector:string:@selector",
    "EndpointSlice": "AddressType:string:.addressType Ports:string:@slice_ports "
    f"Endpoints:string:@slice_endpoints {_AGE}",
    "Role": "Created_At:date:.metadata.creationTimestamp",
    "ClusterRole": "Created_At:date:.metadata.creationTimestamp",
    "RoleBinding": f"Role:string:@role_ref {_AGE}",
    "ClusterRoleBinding": f"Role:string:@role_ref {_AGE}",
    "CustomResourceDefinition": "Created_At:date:.metadata.creationTimestamp",
    "APIService": f"Service:string:@apiservice_service Available:string:@apiservice_available {_AGE}",
    "Lease": f"Holder:string:.spec.holderIdentity {_AGE}",
}


def builtin_resources() -> list[Resource]:
    """The built-in kinds, in the order in which discovery lists them."""
    return [
        Resource(
            group=row.group,
            version=row.version,
            kind=row.kind,
            plural=row.plural,
            singular=row.kind.lower(),
            namespaced=row.namespaced,
            short_names=tuple(row.short.split()),
            categories=tuple(row.categories.split()),
            subresources=tuple(row.subresources.split()),
            list_kind=f"{row.kind}List",
            schema=types.kind_schema(row.kind),
            columns=_columns(_COLUMNS[row.kind]),
            storage_version=row.version,
            scale={"spec": ".spec.replicas", "status": ".status.replicas", "selector": ""}
            if "scale" in row.subresources
            else None,
            selectable=tuple(row.fields.split()),
        )
        for row in _TABLE
    ]


def review_resource(group: str, plural: str) -> Resource | None:
    """A create-only kind that a hook answers (TokenReview and its like); None for anything else."""
    known = {
        ("authorization.k8s.io", "selfsubjectaccessreviews"): ("SelfSubjectAccessReview", False),
        ("authorization.k8s.io", "selfsubjectrulesreviews"): ("SelfSubjectRulesReview", False),
        ("authorization.k8s.io", "subjectaccessreviews"): ("SubjectAccessReview", False),
        ("authorization.k8s.io", "localsubjectaccessreviews"): ("LocalSubjectAccessReview", True),
        ("authentication.k8s.io", "tokenreviews"): ("TokenReview", False),
        ("authentication.k8s.io", "selfsubjectreviews"): ("SelfSubjectReview", False),
    }
    if (group, plural) not in known:
        return None
    kind, namespaced = known[group, plural]
    return Resource(group, "v1", kind, plural, kind.lower(), namespaced, storage_version="v1", verbs=("create",))
