"""Result files as text: packed, encoded, and marked, so that they can travel in a log and be told whole from cut."""

from __future__ import annotations

import base64
import binascii
import hashlib
import io
import re
import tarfile
from typing import TYPE_CHECKING

from pytest_smi.errors import HarnessError

if TYPE_CHECKING:
    from pathlib import Path

_BEGIN = "-----BEGIN PYTEST-SMI RESULTS-----"
_END = "-----END PYTEST-SMI RESULTS {digest}-----"
_PARCEL = re.compile(
    re.escape(_BEGIN) + r"\s(?P<text>[A-Za-z0-9+/=\s]*)-----END PYTEST-SMI RESULTS (?P<digest>[0-9a-f]{64})-----"
)


def archive(folder: Path) -> bytes:
    """All files of a folder as a compressed tar archive, by their names alone."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as packed:
        for path in sorted(one for one in folder.iterdir() if one.is_file()):
            packed.add(path, arcname=path.name)
    return buffer.getvalue()


def wrap(content: bytes) -> str:
    """Bytes as marked lines of text, with a digest that tells whether all have come."""
    text = base64.encodebytes(content).decode("ascii")
    return f"{_BEGIN}\n{text}{_END.format(digest=hashlib.sha256(content).hexdigest())}\n"


def unwrap(log: str) -> bytes:
    """The last parcel in a log. Raises HarnessError when there is none, or when it is not whole."""
    found = list(_PARCEL.finditer(log))
    if not found:
        cut = _BEGIN in log
        what = "the results in the log are cut off" if cut else "there are no results in the log"
        raise HarnessError(
            what, "was the run still going on, or the log rotated?" if cut else "is it the run's whole log?"
        )
    try:
        content = base64.b64decode("".join(found[-1]["text"].split()), validate=True)
    except binascii.Error:
        content = b""
    if hashlib.sha256(content).hexdigest() != found[-1]["digest"]:
        raise HarnessError("the results in the log are damaged", "fetch the log again, without changing it")
    return content


def unpack(content: bytes, folder: Path) -> list[Path]:
    """Write the files of an archive into a folder; their paths. Raises HarnessError."""
    folder.mkdir(parents=True, exist_ok=True)
    written = []
    with tarfile.open(fileobj=io.BytesIO(content), mode="r:gz") as packed:
        for member in packed.getmembers():
            source = packed.extractfile(member)
            if source is None or "/" in member.name or member.name in (".", ".."):
                raise HarnessError(
                    f"the results hold something else than plain files: {member.name}", "who wrote them?"
                )
            path = folder / member.name
            path.write_bytes(source.read())
            written.append(path)
    return written
