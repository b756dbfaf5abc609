"""Which resources are served at this moment: the built-ins, and the versions of every established CRD."""

from collections.abc import Iterable

from pytest_smi.embedded.kubeapi.kinds import Resource, builtin_resources


class Registry:
    """Resources by group, version and plural. `revision` grows with every change and serves as a cache key."""

    def __init__(self) -> None:
        self.revision = 1
        self._resources: dict[tuple[str, str, str], Resource] = {}
        for resource in builtin_resources():
            self._resources[resource.group, resource.version, resource.plural] = resource

    def find(self, group: str, version: str, plural: str) -> Resource | None:
        """The resource that a path names."""
        return self._resources.get((group, version, plural))

    def resources(self) -> list[Resource]:
        """Everything that is served."""
        return list(self._resources.values())

    def of_group(self, group: str) -> list[Resource]:
        """The resources of one group, all versions."""
        return [resource for resource in self._resources.values() if resource.group == group]

    def serves(self, group: str, version: str) -> bool:
        """Whether there is anything in a version of a group."""
        return any((one.group, one.version) == (group, version) for one in self._resources.values())

    def storage(self, group: str, plural: str) -> Resource | None:
        """Any served version of a resource, the storage version if it is served."""
        found = [resource for resource in self._resources.values() if resource.key == (group, plural)]
        stored = [resource for resource in found if resource.version == resource.storage_version]
        return next(iter(stored or found), None)

    def builtin(self, key: tuple[str, str]) -> Resource:
        """A built-in resource, which is always served."""
        found = self.find(key[0], "v1", key[1])
        assert found is not None
        return found

    def add(self, resource: Resource) -> None:
        """Serve one more resource."""
        self._resources[resource.group, resource.version, resource.plural] = resource
        self.revision += 1

    def replace_custom(self, group: str, plural: str, resources: Iterable[Resource]) -> None:
        """Serve exactly these versions of a custom resource; none at all takes it away."""
        for key in [key for key, found in self._resources.items() if found.key == (group, plural)]:
            del self._resources[key]
        for resource in resources:
            self._resources[resource.group, resource.version, resource.plural] = resource
        self.revision += 1
