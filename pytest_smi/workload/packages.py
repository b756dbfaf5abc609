"""The package `h2` with what it needs, packed for the sample application: then any Python image speaks h2c and gRPC."""

from __future__ import annotations

import io
import zipfile
from functools import cache
from importlib.util import find_spec
from pathlib import Path

_PACKAGES = ("h2", "hpack", "hyperframe")  # all of them Python and nothing else


@cache
def packed() -> bytes:
    """A zip file to be put on Python's path; the same bytes each time."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for home in map(_home, _PACKAGES):
            for path in sorted(home.rglob("*.py")):
                entry = zipfile.ZipInfo(str(path.relative_to(home.parent)))
                entry.compress_type = zipfile.ZIP_DEFLATED
                archive.writestr(entry, path.read_bytes())
    return buffer.getvalue()


def _home(package: str) -> Path:
    spec = find_spec(package)
    assert spec is not None, f"{package} is a dependency of this package"
    assert spec.origin is not None
    return Path(spec.origin).parent
