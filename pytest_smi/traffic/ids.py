"""Request ids: short, unique, and unpredictable, so that an answer with the right id can only be an answer to us."""

from __future__ import annotations

import secrets


def new_id() -> str:
    """A fresh request id: 16 hexadecimal digits, 64 random bits; fits a header, a log line and a shell word."""
    return secrets.token_hex(8)


def new_ids(count: int) -> tuple[str, ...]:
    """`count` fresh request ids."""
    return tuple(new_id() for _ in range(count))
