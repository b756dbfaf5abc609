"""results.json: everything a run found out, in one file (documented by `results.schema.json` beside this module)."""

from __future__ import annotations

import json
import os
from collections import Counter
from dataclasses import dataclass
from importlib import resources
from typing import TYPE_CHECKING, Any

from pytest_smi.errors import HarnessError
from pytest_smi.evidence import Verdict
from pytest_smi.report.plain import plain
from pytest_smi.report.redact import redact

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from datetime import datetime
    from pathlib import Path

    from pytest_smi.report.exit import Exit
    from pytest_smi.report.ledger import Problem
    from pytest_smi.report.record import Result

#: Version of the format. The second number grows when something is added, the first when something is taken or changed.
SCHEMA_VERSION = "1.0"


@dataclass(frozen=True)
class Run:
    """What is true of the whole run.

    `started` and `finished` are aware datetimes; `planned` counts the collected instances, None for not known.
    `mesh` needs `name` (see the schema for the rest: `version`, `profile` …), `cluster` needs `provider`.
    `settings` may hold anything; secrets and the home directory are taken out when the document is made.
    """

    suite_version: str
    release: str
    started: datetime
    finished: datetime
    mesh: Mapping[str, Any]
    cluster: Mapping[str, Any]
    settings: Mapping[str, Any]
    planned: int | None = None
    suite_name: str = "pytest-smi"


def document(run: Run, results: Sequence[Result], exit: Exit, problems: Iterable[Problem] = ()) -> dict[str, Any]:
    """The document, in JSON types and in a fixed order (instances by requirement, API version, node id)."""
    ordered = sorted(results, key=lambda one: (one.instance.requirement, one.instance.api, one.nodeid))
    return {
        "schema_version": SCHEMA_VERSION,
        "suite": {"name": run.suite_name, "version": run.suite_version},
        "release": run.release,
        "started": _rfc3339(run.started),
        "finished": _rfc3339(run.finished),
        "mesh": redact(plain(run.mesh)),
        "cluster": redact(plain(run.cluster)),
        "settings": redact(plain(run.settings)),
        "complete": _complete(run, results, exit),
        "planned": run.planned,
        "summary": summary(ordered),
        "instances": [result.as_dict() for result in ordered],
        "problems": [plain(problem) for problem in problems],
        "exit": {"status": exit.status, "reason": exit.reason},
    }


def summary(results: Sequence[Result]) -> dict[str, Any]:
    """Counts per area and in total: instances, one count per verdict, and the slowest convergence."""
    areas = sorted({result.instance.area for result in results})
    per_area = {area: _counts([one for one in results if one.instance.area == area]) for area in areas}
    return {"total": _counts(results), "areas": per_area}


def write(path: Path, content: Mapping[str, Any]) -> None:
    """Write the document so that a reader finds the old file or the new one, never half of it.

    Raises HarnessError when the file cannot be written.
    """
    body = json.dumps(content, indent=2, ensure_ascii=False, allow_nan=False) + "\n"
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        _replace(path, body)
    except OSError as error:
        reason = error.strerror or str(error)
        raise HarnessError(f"cannot write results to {path}: {reason}", "give a file in a writable folder") from error


def schema() -> dict[str, Any]:
    """The JSON Schema (2020-12) of the document."""
    content: dict[str, Any] = json.loads(
        resources.files(__package__).joinpath("results.schema.json").read_text("utf-8")
    )
    return content


def _replace(path: Path, body: str) -> None:
    unfinished = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        unfinished.write_text(body, "utf-8")
        unfinished.replace(path)
    except BaseException:
        unfinished.unlink(missing_ok=True)
        raise


def _counts(results: Sequence[Result]) -> dict[str, Any]:
    verdicts = Counter(result.verdict for result in results)
    timed = [one for one in results if one.convergence_seconds is not None]
    slowest = max(timed, key=lambda one: one.convergence_seconds or 0.0, default=None)
    return {
        "instances": len(results),
        **{verdict.value: verdicts[verdict] for verdict in Verdict},
        "slowest_convergence": slowest and {"seconds": slowest.convergence_seconds, "key": slowest.instance.key},
    }


def _complete(run: Run, results: Sequence[Result], exit: Exit) -> bool:
    """Whether every instance that was planned was judged; without a plan, whether nothing cut the run short."""
    whole = len(results) >= run.planned if run.planned is not None else bool(results) or exit.status != 3
    return whole and exit.status != 2


def _rfc3339(moment: datetime) -> str:
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")
