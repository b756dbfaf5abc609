"""Bodies in, media types out: JSON and YAML are read, JSON is written, protobuf is declined politely."""

import json
from dataclasses import dataclass
from typing import Any

import yaml

from pytest_smi.embedded.kubeapi import go_texts, status
from pytest_smi.embedded.kubeapi.http import Request
from pytest_smi.embedded.kubeapi.numbers import number

JSON = "application/json"
YAML = ("application/yaml", "text/yaml", "application/x-yaml")
PROTOBUF = "application/vnd.kubernetes.protobuf"
MEDIA_TYPES = (JSON, YAML[0], PROTOBUF)
"""What a body may be."""

_Base: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


class _Repeated(dict[str, Any]):
    """An object that remembers which of its keys stood twice; of YAML, with the lines where they did."""

    keys_twice: tuple[str, ...] = ()
    lines: tuple[int, ...] = ()


def _object(pairs: list[tuple[str, Any]], lines: list[int] | None = None) -> dict[str, Any]:
    result = dict(pairs)
    if len(result) == len(pairs):
        return result
    marked = _Repeated(result)
    names = [name for name, _ in pairs]
    again = [place for place, name in enumerate(names) if name in names[:place]]
    if lines is not None:
        marked.lines = tuple(lines[place] for place in again)
        marked.keys_twice = tuple(names[place] for place in again)
    else:
        marked.keys_twice = tuple(sorted({names[place] for place in again}))
    return marked


class _Loader(_Base):  # type: ignore[misc]
    """YAML as Kubernetes reads it: keys are strings, times are text, and repeated keys are noticed."""


def _mapping(loader: Any, node: yaml.MappingNode) -> dict[str, Any]:
    loader.flatten_mapping(node)
    pairs, lines = [], []
    for key_node, value_node in node.value:
        key = loader.construct_object(key_node, deep=True)
        pairs.append((key if isinstance(key, str) else json.dumps(key), loader.construct_object(value_node, deep=True)))
        lines.append(key_node.start_mark.line + 1)
    return _object(pairs, lines)


def _integer(loader: Any, node: yaml.ScalarNode) -> Any:
    # 12:30:45 is a number to base 60 in YAML 1.1, but text to everyone who writes manifests
    return node.value if ":" in node.value else loader.construct_yaml_int(node)


def _whole(value: float) -> float:
    return int(value) if value.is_integer() else value


_Loader.add_constructor(yaml.resolver.BaseResolver.DEFAULT_MAPPING_TAG, _mapping)
_Loader.add_constructor("tag:yaml.org,2002:timestamp", lambda loader, node: loader.construct_scalar(node))
_Loader.add_constructor("tag:yaml.org,2002:int", _integer)
_Loader.add_constructor("tag:yaml.org,2002:float", lambda loader, node: _whole(loader.construct_yaml_float(node)))


@dataclass(slots=True)
class Body:
    """A decoded body. `duplicates` says which keys stood there twice (the last one counts), in the decoder's words."""

    value: Any
    duplicates: list[str]


def _settled(raw: Any) -> Body:
    duplicates: list[str] = []
    return Body(_settle(raw, "", duplicates), duplicates)


def _settle(value: Any, path: str, duplicates: list[str]) -> Any:
    """Plain dictionaries again, with the full paths of repeated keys collected."""
    if isinstance(value, dict):
        if isinstance(value, _Repeated):
            duplicates += _told(value, path)
        return {key: _settle(item, f"{path}.{key}" if path else key, duplicates) for key, item in value.items()}
    if isinstance(value, list):
        return [_settle(item, f"{path}[{index}]", duplicates) for index, item in enumerate(value)]
    return value


def _told(value: _Repeated, path: str) -> list[str]:
    if value.lines:
        twice = zip(value.lines, value.keys_twice, strict=True)
        return [f'line {line}: key "{name}" already set in map' for line, name in twice]
    return [f'duplicate field "{path}.{name}"' if path else f'duplicate field "{name}"' for name in value.keys_twice]


class YamlError(ValueError):
    """A body that is no YAML; the text says what is wrong with it."""


def _parse_yaml(raw: bytes) -> Body:
    loader = None
    try:
        loader = _Loader(raw)
        return _settled(loader.get_single_data())
    except yaml.MarkedYAMLError as error:
        raise YamlError(error.problem) from None
    except (yaml.YAMLError, ValueError, TypeError) as error:
        raise YamlError(" ".join(str(error).split())) from None
    finally:
        if loader is not None:
            loader.dispose()


def _refuse_constant(text: str) -> Any:
    raise ValueError(f"invalid character {text[0]!r} looking for beginning of value")


def parse_json(raw: bytes) -> Body:
    """A JSON body. Raises ValueError when it is none."""
    try:
        value = json.loads(raw, object_pairs_hook=_object, parse_constant=_refuse_constant, parse_float=number)
    except RecursionError:
        raise ValueError("exceeded max depth") from None
    except json.JSONDecodeError as error:
        raise ValueError(go_texts.json_problem(error)) from None
    return _settled(value)


def media_type(request: Request) -> str:
    """The content type without parameters; JSON when none is given."""
    return request.headers.get("content-type", JSON).split(";", 1)[0].strip().lower() or JSON


def load(request: Request, kind: str = "", *, code: int = 400) -> Body:
    """The body of a write of an object of this kind. Raises ApiError (415; `code`, 400 or 500, for no such format)."""
    form, what = media_type(request), f"the object provided is unrecognized (must be of type {kind})"
    gist = go_texts.gist(request.body)
    try:
        if form in YAML:
            return _parse_yaml(request.body)
        if form != JSON:
            raise status.unsupported_media_type(MEDIA_TYPES)
        body = parse_json(request.body)
        if not isinstance(body.value, (dict, type(None))):
            raise ValueError(go_texts.unmarshal_problem(body.value))
        return body
    except YamlError as error:
        raise status.bad_request(f"{what}: yaml: {error} ({gist})") from None
    except ValueError as error:
        why = f"couldn't get version/kind; json parse error: {error}"
        if code != 400:
            raise status.status(code, "", why) from None
        raise status.bad_request(f"{what}: {why} ({gist})") from None


def load_apply(request: Request) -> Body:
    """The body of an apply patch, which is YAML and therefore JSON too. Raises ApiError (400)."""
    is_json = request.body.lstrip()[:1] == b"{"
    try:
        return parse_json(request.body) if is_json else _parse_yaml(request.body)
    except YamlError as error:
        raise status.bad_request(f"error decoding YAML: error converting YAML to JSON: yaml: {error}") from None
    except ValueError as error:
        raise status.bad_request(f"error decoding YAML: {error}") from None


@dataclass(slots=True, frozen=True)
class Accepted:
    """The form in which the answer is wanted, `""` for the plain one, and the version of the form."""

    form: str = ""
    version: str = "v1"


_FORMS = ("Table", "PartialObjectMetadata", "PartialObjectMetadataList")
_PLAIN = Accepted()
_STREAMS = (f"{JSON};stream=watch", f"{PROTOBUF};stream=watch")


def accepted(request: Request) -> Accepted:
    """The first media type of the Accept header that can be served. Raises ApiError (406) when none can."""
    header = request.headers.get("accept", "")
    if not header or header == JSON or header == "*/*":
        return _PLAIN
    known = False
    for entry in header.split(","):
        name, *parameters = (part.strip() for part in entry.split(";"))
        options = dict(part.split("=", 1) for part in parameters if "=" in part)
        known = known or name in (*MEDIA_TYPES, "application/*", "*/*")
        if name not in (JSON, "application/*", "*/*"):
            continue
        form = options.get("as", "")
        if not form:
            return _PLAIN
        version = options.get("v", "")
        if form in _FORMS and version in ("v1", "v1beta1") and options.get("g") == "meta.k8s.io":
            return Accepted(form, version)
    # A client that only offers protobuf still reads JSON: every official one does.
    if PROTOBUF in header:
        return _PLAIN
    if known:
        raise status.not_acceptable(MEDIA_TYPES)
    listed = ", ".join((*MEDIA_TYPES, *_STREAMS))
    raise status.status(406, "NotAcceptable", f"406: Not Acceptable\n\nAvailable representations: {listed}", {})
