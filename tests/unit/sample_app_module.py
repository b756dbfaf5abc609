"""The sample application as a module. It is one file that is no part of the package, so it is loaded from its path."""

from __future__ import annotations

import importlib.util
import sys
from typing import Any

from pytest_smi.paths import shipped

PATH = shipped("sample_app") / "sample_app.py"


def _load() -> Any:
    spec = importlib.util.spec_from_file_location("sample_app_under_test", PATH)
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


sample_app: Any = _load()
