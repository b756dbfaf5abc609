"""What of a run's results is kept in public, and what is left out."""

import json
from pathlib import Path

from pytest_smi.catalog.publish import main, shortened


def instance(verdict: str) -> dict[str, object]:
    steps = [{"kind": "settle", "details": {"counts": 3}}, {"kind": "diagnose", "details": {"log": "long"}}]
    evidence = {"manifests": [{"kind": "TrafficTarget"}], "steps": steps, "observations": {"accepted": True}}
    return {"key": "TA-001", "verdict": verdict, "evidence": evidence}


def document(*verdicts: str) -> dict[str, object]:
    settings = {"mesh": "osm", "results": "/home/jo/results.json", "kubeconfig": "~/.kube/config"}
    return {"mesh": {"name": "osm"}, "settings": settings, "instances": [instance(one) for one in verdicts]}


def test_what_failed_or_was_observed_keeps_its_evidence_but_no_logs() -> None:
    for one in shortened(document("fail", "observation", "error", "known-failure"))["instances"]:
        assert one["evidence"]["manifests"] == [{"kind": "TrafficTarget"}]
        assert [step["kind"] for step in one["evidence"]["steps"]] == ["settle"]
        assert one["evidence"]["observations"] == {"accepted": True}


def test_what_passed_keeps_what_it_observed_only() -> None:
    (one,) = shortened(document("pass"))["instances"]
    assert one["evidence"] == {"manifests": [], "steps": [], "observations": {"accepted": True}}


def test_where_the_run_kept_its_files_is_left_out(tmp_path: Path) -> None:
    (tmp_path / "results.json").write_text(json.dumps(document("pass")))
    main(str(tmp_path / "results.json"), str(tmp_path / "docs" / "osm.json"))
    published = json.loads((tmp_path / "docs" / "osm.json").read_text())
    assert published["settings"] == {"mesh": "osm", "results": None, "kubeconfig": None}
