"""Custom resources in the version asked for: stored in one version, read and written in any that is served.

As in Kubernetes, an object is pruned by the schema of the request version, converted, pruned by the storage schema and
stored; readers get it converted back and pruned by the schema of their version. Strategy `None` rewrites apiVersion
and nothing else; strategy `Webhook` asks the URL of the CRD. Converted states are cached on the record.
"""

from collections.abc import Sequence
from typing import Any
from uuid import uuid4

from pytest_smi.embedded.kubeapi import schema, status, types
from pytest_smi.embedded.kubeapi.kinds import Resource
from pytest_smi.embedded.kubeapi.store import Record
from pytest_smi.embedded.kubeapi.webhook import WebhookClient, WebhookFailure

Object = dict[str, Any]


def version_schema(crd: Object, version: str) -> schema.Schema:
    """The schema of one version of a CRD, served or not."""
    for entry in crd["spec"]["versions"]:
        if entry["name"] == version:
            found: schema.Schema = (entry.get("schema") or {}).get("openAPIV3Schema") or {}
            return found
    return {}


def _coerce(obj: Object, wanted: schema.Schema) -> None:
    schema.prune(obj["metadata"], types.definitions()["ObjectMeta"])
    schema.prune(obj, wanted, root=True)


def _as_stored(record: Record, resource: Resource) -> Object:
    """A copy of a stored object with the defaults of its own version, which may be younger than the object."""
    obj: Object = schema.clone(record.obj)
    if resource.crd is not None:
        own = version_schema(resource.crd, obj["apiVersion"].rpartition("/")[2])
        schema.drop_nulls(obj, own)
        schema.default(obj, own)
    return obj


class Converter:
    """Converts between the versions of custom resources; built-ins have one version and pass through."""

    def __init__(self, webhooks: WebhookClient) -> None:
        self._webhooks = webhooks

    def ready(self, record: Record, resource: Resource) -> Object | None:
        """The object in the resource's version if no webhook has to be asked for it."""
        if resource.builtin:
            return record.obj
        cached = record.views.get(resource.version)
        if cached is not None and cached[0] is resource:
            return cached[1]
        if record.obj["apiVersion"] != resource.api_version and _strategy(resource) == "Webhook":
            return None
        return self._keep(record, resource, _as_stored(record, resource))

    def note(self, record: Record, resource: Resource, *, unchanged: bool) -> None:
        """Tell that a record was just stored as it came, in this version: it is its own view."""
        if unchanged and not resource.builtin:
            record.views[resource.version] = (resource, record.obj)

    def _keep(self, record: Record, resource: Resource, obj: Object) -> Object:
        if obj["apiVersion"] != resource.api_version:
            obj["apiVersion"] = resource.api_version
        _coerce(obj, resource.schema)
        record.views[resource.version] = (resource, obj)
        return obj

    async def view(self, record: Record, resource: Resource) -> Object:
        """The object in the resource's version. Raises ApiError (500) when the webhook fails."""
        found = self.ready(record, resource)
        return (await self.views([record], resource))[0] if found is None else found

    async def views(self, records: Sequence[Record], resource: Resource) -> list[Object]:
        """Several objects at once, with one question to the webhook. Raises ApiError (500)."""
        found = [self.ready(record, resource) for record in records]
        waiting = [record for record, obj in zip(records, found, strict=True) if obj is None]
        if waiting:
            converted = iter(
                await self._ask([_as_stored(one, resource) for one in waiting], resource, resource.api_version)
            )
            for index, record in enumerate(records):
                if found[index] is None:
                    found[index] = self._keep(record, resource, next(converted))
        return [obj for obj in found if obj is not None]

    async def to_storage(self, obj: Object, resource: Resource) -> Object:
        """The object as it is stored. Raises ApiError (500) when the webhook fails."""
        if resource.builtin or resource.crd is None:
            return obj
        wanted = f"{resource.group}/{resource.storage_version}"
        if resource.api_version == wanted:
            return obj
        if _strategy(resource) == "Webhook":
            obj = (await self._ask([obj], resource, wanted))[0]
        else:
            obj = schema.clone(obj)
            obj["apiVersion"] = wanted
        _coerce(obj, version_schema(resource.crd, resource.storage_version))
        return obj

    async def _ask(self, objects: list[Object], resource: Resource, wanted: str) -> list[Object]:
        assert resource.crd is not None
        config = resource.crd["spec"]["conversion"]["webhook"]["clientConfig"]
        uid = str(uuid4())
        review = {
            "apiVersion": "apiextensions.k8s.io/v1",
            "kind": "ConversionReview",
            "request": {"uid": uid, "desiredAPIVersion": wanted, "objects": objects},
        }
        name = f"conversion webhook for {objects[0]['apiVersion']}, Kind={resource.kind}"
        try:
            answer = await self._webhooks.post(config.get("url") or "", config.get("caBundle") or "", review)
            return _checked(answer, uid, objects, wanted)
        except WebhookFailure as failure:
            raise status.status(500, "", f"{name} failed: {failure}") from None


def _strategy(resource: Resource) -> str:
    assert resource.crd is not None
    found: str = (resource.crd["spec"].get("conversion") or {}).get("strategy", "None")
    return found


def _checked(answer: Object, uid: str, sent: list[Object], wanted: str) -> list[Object]:
    """The converted objects, with everything undone that a webhook must not touch. Raises WebhookFailure."""
    response = answer.get("response") or {}
    if response.get("uid") != uid:
        raise WebhookFailure(f'expected response.uid="{uid}", got "{response.get("uid", "")}"')
    result = response.get("result") or {}
    if result.get("status") != "Success":
        raise WebhookFailure(result.get("message") or "no result.status of Success in the response")
    converted = response.get("convertedObjects") or []
    if len(converted) != len(sent):
        raise WebhookFailure(f"expected {len(sent)} converted objects, got {len(converted)}")
    for before, after in zip(sent, converted, strict=True):
        if not isinstance(after, dict) or after.get("apiVersion") != wanted or after.get("kind") != before["kind"]:
            raise WebhookFailure(f"the converted object is not a {before['kind']} of {wanted}")
        metadata = after.setdefault("metadata", {})
        for field in ("name", "namespace", "uid"):
            if metadata.get(field) != before["metadata"].get(field):
                raise WebhookFailure(f"metadata.{field} must not change in conversion")
        # Only labels and annotations may differ afterwards.
        restored = dict(before["metadata"])
        for field in ("labels", "annotations"):
            restored.pop(field, None)
            if metadata.get(field):
                restored[field] = metadata[field]
        after["metadata"] = restored
    return converted
