"""A whole pytest run that judges the reference mesh, as a process: what it started, what it left, what it reported."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import uuid
import xml.etree.ElementTree as ET
from contextlib import suppress
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from pytest_smi.report.results import schema
from tests.embedded.cluster_process import alive, until

REFERENCE = "--smi-mesh=reference"
FEW = "--smi-requirement=TA-004,TA-005"
SECONDS = 120.0
_MARK = "SMI_TEST_MARK"
_QUIET = ("-p", "no:hypothesispytest", "-p", "no:cacheprovider")
_REPORTS = ("--junitxml=junit.xml", "--alluredir=allure", "--clean-alluredir")
_NO_REPORTS = ("-p", "no:allure_pytest")


class PytestRun:
    """A run in `folder`, its temporary files in `folder`/temp. All its processes inherit a mark and are known by it.

    `reports` has it write junit.xml and allure/ beside results.json.
    """

    def __init__(self, folder: Path, *arguments: str, env: dict[str, str] | None = None, reports: bool = False) -> None:
        self.folder = folder
        self.temp = folder / "temp"
        self.temp.mkdir(exist_ok=True)
        self._mark = f"{_MARK}={uuid.uuid4().hex}"
        name, _, value = self._mark.partition("=")
        self._out, self._err = (folder / f"{value}.{end}" for end in ("out", "err"))
        told = _REPORTS if reports else _NO_REPORTS
        with self._out.open("wb") as out, self._err.open("wb") as err:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "pytest", REFERENCE, "--smi-results=results.json", *_QUIET, *told, *arguments],
                cwd=folder,
                env={**os.environ, "TMPDIR": str(self.temp), **(env or {}), name: value},
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=err,
                start_new_session=True,
            )

    @property
    def said(self) -> str:
        """Standard output so far."""
        return self._out.read_text("utf-8", "replace")

    @property
    def complained(self) -> list[str]:
        """Lines on standard error so far."""
        return [line for line in self._err.read_text("utf-8", "replace").splitlines() if line.strip()]

    @property
    def status(self) -> int:
        """The exit status, once it has ended."""
        try:
            return self.process.wait(SECONDS)
        except subprocess.TimeoutExpired:
            pytest.fail(f"still running after {SECONDS:g} s:\n{self.said}")

    def processes(self, *words: str) -> dict[int, list[str]]:
        """Every running process of the run with its command line; those only that have all of `words` in it."""
        mark, found = self._mark.encode(), {}
        for entry in Path("/proc").iterdir():
            with suppress(OSError):
                if entry.name.isdigit() and mark in (entry / "environ").read_bytes().split(b"\0"):
                    found[int(entry.name)] = (entry / "cmdline").read_text("utf-8", "replace").split("\0")
        return {pid: line for pid, line in found.items() if alive(pid) and set(words) <= set(line)}

    def one(self, *words: str) -> int:
        """The only process of the run whose command line has all of `words`."""
        (pid,) = self.processes(*words)
        return pid

    def envoy(self) -> int:
        """The only Envoy of the run."""
        (pid,) = (pid for pid, line in self.processes().items() if "envoy" in Path(line[0]).name)
        return pid

    def reached(self, number: int = 1) -> list[int]:
        """Wait until so many tests are in their middle (each has left `middle-PID`); the ids of their processes."""

        def found() -> list[int] | None:
            if self.process.poll() is not None:
                pytest.fail(f"the run ended, status {self.process.returncode}:\n{self.said}\n{self.complained}")
            middles = [int(path.name.split("-")[1]) for path in self.folder.glob("middle-*")]
            return middles if len(middles) >= number else None

        return until(f"{number} tests to be in their middle", found, SECONDS)

    def results(self) -> dict[str, Any]:
        """results.json, valid by its schema."""
        document: dict[str, Any] = json.loads((self.folder / "results.json").read_text("utf-8"))
        jsonschema.Draft202012Validator(schema()).validate(document)
        return document

    def verdicts(self) -> dict[str, str]:
        """Key -> verdict, of results.json."""
        return {one["key"]: one["verdict"] for one in self.results()["instances"]}

    def states(self) -> list[Path]:
        """State folders of clusters among the temporary files."""
        return sorted(self.temp.glob("smi-embedded-*"))

    def kill_rest(self) -> None:
        """End what is left, so that a failed test leaves nothing behind."""
        for pid in self.processes():
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        self.process.wait(SECONDS)


def listening(pids: dict[int, Any]) -> set[str]:
    """Local addresses (as the kernel writes them) at which these processes accept connections or datagrams."""
    mine = {link for pid in pids for link in _links(pid)}
    return {address for inode, address in _open_addresses().items() if f"socket:[{inode}]" in mine}


def still_open(addresses: set[str]) -> set[str]:
    """Those of the addresses at which anybody still listens."""
    return addresses & set(_open_addresses().values())


def _links(pid: int) -> set[str]:
    found = set()
    with suppress(OSError):
        for entry in Path(f"/proc/{pid}/fd").iterdir():
            with suppress(OSError):
                found.add(os.readlink(entry))
    return found


def _open_addresses() -> dict[str, str]:
    """Inode -> protocol and address, of listening TCP sockets (state 0A) and of UDP sockets without a peer (07)."""
    found = {}
    for protocol, state in (("tcp", "0A"), ("udp", "07")):
        for line in Path(f"/proc/net/{protocol}").read_text().splitlines()[1:]:
            fields = line.split()
            if fields[3] == state:
                found[fields[9]] = f"{protocol} {fields[1]}"
    return found


def junit_of(path: Path) -> dict[str, tuple[str, set[str]]]:
    """Name of each testcase that is an instance -> its verdict as a property, and which outcome elements it has."""
    found = {}
    for case in ET.parse(path).iter("testcase"):
        told = {one.attrib["name"]: one.attrib["value"] for one in case.iter("property")}
        if "verdict" in told:
            outcome = {child.tag for child in case} & {"failure", "error", "skipped"}
            found[case.attrib["name"]] = (told["verdict"], outcome)
    return found


def allure_of(folder: Path) -> dict[str, tuple[str, str]]:
    """Name of each result that is an instance -> its verdict as a label, and Allure's status."""
    found = {}
    for path in folder.glob("*-result.json"):
        entry = json.loads(path.read_text("utf-8"))
        labels = {one["name"]: one["value"] for one in entry["labels"]}
        if "verdict" in labels:
            found[entry["name"]] = (labels["verdict"], entry["status"])
    return found
