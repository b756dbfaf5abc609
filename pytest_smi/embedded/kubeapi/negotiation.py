"""Bodies in, media types out: JSON and YAML are read, JSON is written, protobuf is declined politely."""

import json
from dataclasses import dataclass
from typing import Any

import yaml

from pytest_smi.embedded.kubeapi import status
from pytest_smi.embedded.kubeapi.http import Request

JSON = "application/json"
YAML = ("application/yaml", "text/yaml", "application/x-yaml")
PROTOBUF = "application/vnd.kubernetes.protobuf"

_Base: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


class _Repeated(dict[str, Any]):
    """An object that remembers which of its keys stood twice."""

    keys_twice: tuple[str, ...] = ()


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    result = dict(pairs)
    if len(result) == len(pairs):
        return result
    marked = _Repeated(result)
    names = [name for name, _ in pairs]
    marked.keys_twice = tuple(dict.fromkeys(name for name in names if names.count(name) > 1))
    return marked


class _Loader(_Base):  # type: ignore[misc]
    """YAML as Kubernetes reads it: keys are strings, times are text, and repeated keys are noticed."""


def _mapping(loader: Any, node: yaml.MappingNode) -> dict[str, Any]:
    loader.flatten_mapping(node)
    pairs = []
    for key_node, value_node in node.value:
        key = loader.construct_object(key_node, deep=True)
        pairs.append((key if isinstance(key, str) else json.dumps(key), loader.construct_object(value_node, deep=True)))
    return _object(pairs)


def _integer(loader: Any, node: yaml.ScalarNode) -> Any:
    # 12:30:45 is a number to base 60 in YAML 1.1, but text to everyone who writes manifests
    return node.value if ":" in node.value else loader.construct_yaml_int(node)


_Loader.add_constructor(yaml.resolver.BaseResolver.DEFAULT_MAPPING_TAG, _mapping)
_Loader.add_constructor("tag:yaml.org,2002:timestamp", lambda loader, node: loader.construct_scalar(node))
_Loader.add_constructor("tag:yaml.org,2002:int", _integer)


@dataclass(slots=True)
class Body:
    """A decoded body. `duplicates` are the dotted paths of keys that stood there twice (the last one counts)."""

    value: Any
    duplicates: list[str]


def _settled(raw: Any) -> Body:
    duplicates: list[str] = []
    return Body(_settle(raw, "", duplicates), duplicates)


def _settle(value: Any, path: str, duplicates: list[str]) -> Any:
    """Plain dictionaries again, with the full paths of repeated keys collected."""
    if isinstance(value, dict):
        if isinstance(value, _Repeated):
            duplicates += [f"{path}.{name}" if path else name for name in value.keys_twice]
        return {key: _settle(item, f"{path}.{key}" if path else key, duplicates) for key, item in value.items()}
    if isinstance(value, list):
        return [_settle(item, f"{path}[{index}]", duplicates) for index, item in enumerate(value)]
    return value


def _load_yaml(raw: bytes) -> Body:
    loader = None
    try:
        loader = _Loader(raw)
        return _settled(loader.get_single_data())
    except (yaml.YAMLError, ValueError, TypeError) as error:
        raise status.bad_request(f"error converting YAML to JSON: yaml: {' '.join(str(error).split())}") from None
    finally:
        if loader is not None:
            loader.dispose()


def _refuse_constant(text: str) -> Any:
    raise ValueError(f"invalid character {text[0]!r} looking for beginning of value")


def _number(text: str) -> float:
    """80.0 is the number 80, as in a real API server; what no 64 bits can hold is refused."""
    value = float(text)
    if value.is_integer() and abs(value) < 2**53:
        return int(value)
    if value in (float("inf"), float("-inf")):
        raise ValueError(f"the number {text} is out of range")
    return value


def load_json(raw: bytes) -> Body:
    """A JSON body. Raises ApiError (400) when it is none."""
    try:
        value = json.loads(raw, object_pairs_hook=_object, parse_constant=_refuse_constant, parse_float=_number)
    except (ValueError, RecursionError) as error:
        raise status.bad_request(
            f"the object provided is unrecognized: couldn't get version/kind; json parse error: {error}"
        ) from None
    return _settled(value)


def media_type(request: Request) -> str:
    """The content type without parameters; JSON when none is given."""
    return request.headers.get("content-type", JSON).split(";", 1)[0].strip().lower() or JSON


def load(request: Request) -> Body:
    """The body of a create, update or delete. Raises ApiError (400, 415)."""
    kind = media_type(request)
    if kind == JSON:
        return load_json(request.body)
    if kind in YAML:
        return _load_yaml(request.body)
    raise status.unsupported_media_type([JSON, YAML[0]])


def load_apply(request: Request) -> Body:
    """The body of an apply patch, which is YAML and therefore JSON too."""
    stripped = request.body.lstrip()[:1]
    return load_json(request.body) if stripped == b"{" else _load_yaml(request.body)


@dataclass(slots=True, frozen=True)
class Accepted:
    """The form in which the answer is wanted: `""` plain, `Table`, `PartialObjectMetadata` or its list."""

    form: str = ""


_FORMS = ("Table", "PartialObjectMetadata", "PartialObjectMetadataList")
_PLAIN = Accepted()


def accepted(request: Request) -> Accepted:
    """The first media type of the Accept header that can be served. Raises ApiError (406) when none can."""
    header = request.headers.get("accept", "")
    if not header or header == JSON or header == "*/*":
        return _PLAIN
    for entry in header.split(","):
        name, *parameters = (part.strip() for part in entry.split(";"))
        options = dict(part.split("=", 1) for part in parameters if "=" in part)
        if name not in (JSON, "application/*", "*/*"):
            continue
        form = options.get("as", "")
        if not form:
            return _PLAIN
        if form in _FORMS and options.get("v") == "v1" and options.get("g") == "meta.k8s.io":
            return Accepted(form)
    # A client that only offers protobuf still reads JSON: every official one does.
    if PROTOBUF in header:
        return _PLAIN
    raise status.not_acceptable([JSON])
