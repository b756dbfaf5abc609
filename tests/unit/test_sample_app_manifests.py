"""The image and the plain manifests of the sample application say the same as the application itself."""

from __future__ import annotations

import re
from typing import Any

import pytest
import yaml

from pytest_smi.paths import shipped
from tests.unit.sample_app_module import PATH, sample_app

FOLDER = shipped("sample_app")
DEFAULTS = sample_app.Settings.from_env({})
STREAMS = {*DEFAULTS.http_ports, *DEFAULTS.tcp_ports, *DEFAULTS.banner_ports}
DATA_PORTS = {("TCP", port) for port in STREAMS} | {("UDP", port) for port in DEFAULTS.udp_ports}


@pytest.fixture(params=["teapot", "kettle"])
def objects(request: pytest.FixtureRequest) -> dict[str, Any]:
    documents = yaml.safe_load_all((FOLDER / "manifests" / f"{request.param}.yaml").read_text())
    found = {document["kind"]: document for document in documents}
    assert {document["metadata"]["name"] for document in found.values()} == {request.param}
    return found


def test_the_service_has_every_data_port_and_not_the_control_port(objects: dict[str, Any]) -> None:
    ports = objects["Service"]["spec"]["ports"]
    assert {(port.get("protocol", "TCP"), port["port"]) for port in ports} == DATA_PORTS
    assert all(port["port"] == port["targetPort"] for port in ports)
    protocols = {port["port"]: port.get("appProtocol") for port in ports if port.get("protocol", "TCP") == "TCP"}
    assert protocols == {port: "http" if port in DEFAULTS.http_ports else "tcp" for port in STREAMS}


def test_the_deployment_runs_the_app_under_its_own_account(objects: dict[str, Any]) -> None:
    spec = objects["Deployment"]["spec"]
    pod = spec["template"]["spec"]
    assert pod["serviceAccountName"] == objects["ServiceAccount"]["metadata"]["name"]
    labels = spec["template"]["metadata"]["labels"]
    assert spec["selector"]["matchLabels"].items() <= labels.items()
    assert objects["Service"]["spec"]["selector"].items() <= labels.items()


def test_the_container_has_every_port_and_only_settings_that_exist(objects: dict[str, Any]) -> None:
    (container,) = objects["Deployment"]["spec"]["template"]["spec"]["containers"]
    ports = {(port.get("protocol", "TCP"), port["containerPort"]) for port in container["ports"]}
    assert ports == DATA_PORTS | {("TCP", DEFAULTS.control_port)}
    source = PATH.read_text()
    assert all(f'"{variable["name"]}"' in source for variable in container["env"])
    probed = container["readinessProbe"]["httpGet"]["port"]
    assert {port["name"]: port["containerPort"] for port in container["ports"]}[probed] == DEFAULTS.control_port
    assert container["securityContext"]["runAsNonRoot"] is True


def test_the_image_runs_the_app_as_a_plain_user_with_its_ports() -> None:
    text = (FOLDER / "Dockerfile").read_text()
    exposed = re.search(r"^EXPOSE (.*)$", text, re.MULTILINE)
    assert exposed
    found = {(port.endswith("/udp"), int(port.removesuffix("/udp"))) for port in exposed[1].split()}
    assert found == {(kind == "UDP", port) for kind, port in DATA_PORTS} | {(False, DEFAULTS.control_port)}
    assert re.search(r"^USER [1-9]\d*:[1-9]\d*$", text, re.MULTILINE)


def test_the_app_fits_in_a_configmap() -> None:
    assert PATH.stat().st_size < 512 * 1024
