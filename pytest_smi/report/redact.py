"""What must not leave the machine in a published report: secrets, and the name of the account that ran it."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

HIDDEN = "[redacted]"

_SECRET_NAME = re.compile(r"token|passw|secret|credential|private.?key|api.?key|authorization", re.IGNORECASE)
_USER_IN_URL = re.compile(r"(?<=://)[^/@\s]+@")


_SECRETS_IN_TEXT = (
    (re.compile(r"-----BEGIN [A-Z ]*PRIVATE KEY-----.*?(-----END [A-Z ]*PRIVATE KEY-----|\Z)", re.DOTALL), HIDDEN),
    (re.compile(r"\beyJ[\w-]{5,}\.[\w-]{5,}(\.[\w-]*)?"), HIDDEN),
    (re.compile(r"(?i)\b(bearer|basic)\s+[\w.~+/-]{8,}=*"), rf"\1 {HIDDEN}"),
    (
        re.compile(
            r"""(?i)((?:token|passw|secret|credential|api.?key|authorization)\w*["']?\s*[=:]\s*["']?)[^\s"',;&}]+"""
        ),
        rf"\1{HIDDEN}",
    ),
    (_USER_IN_URL, f"{HIDDEN}@"),
)


def redact_text(text: str, home: str | None = None) -> str:
    """A log or a dump without what looks like a secret: private keys, tokens, passwords; the home directory as `~`."""
    for pattern, instead in _SECRETS_IN_TEXT:
        text = pattern.sub(instead, text)
    home = home or str(Path.home())
    return text.replace(f"{home}/", "~/") if home != "/" else text


def redact(value: Any, home: str | None = None) -> Any:
    """Settings without secrets: values under telling names, user info in URLs, and the home directory as `~`."""
    home = home or str(Path.home())
    if isinstance(value, dict):
        return {name: HIDDEN if _telling(name, item) else redact(item, home) for name, item in value.items()}
    if isinstance(value, list):
        return [redact(item, home) for item in value]
    if isinstance(value, str):
        value = _USER_IN_URL.sub(f"{HIDDEN}@", value)
        return "~" + value[len(home) :] if home != "/" and (value + "/").startswith(home + "/") else value
    return value


def without_secrets(manifest: dict[str, Any]) -> dict[str, Any]:
    """The manifest; of a Secret, only the names of its keys."""
    if manifest.get("kind") != "Secret":
        return manifest
    hidden = {
        part: dict.fromkeys(manifest[part], HIDDEN)
        for part in ("data", "stringData")
        if isinstance(manifest.get(part), dict)
    }
    return {**manifest, **hidden}


def _telling(name: str, item: Any) -> bool:
    return bool(_SECRET_NAME.search(name)) and item not in (None, "", False)
