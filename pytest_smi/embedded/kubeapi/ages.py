"""How long ago something was, as kubectl writes it."""

from datetime import UTC, datetime
from typing import Any


def age(timestamp: Any) -> str:
    """The time since a timestamp as kubectl writes it: `5s`, `3m20s`, `26h`, `12d`."""
    try:
        started = datetime.fromisoformat(str(timestamp))
    except ValueError:
        return "<unknown>"
    seconds = int((datetime.now(UTC) - started).total_seconds())
    if seconds < 0:
        return "<invalid>" if seconds < -2 else "0s"
    minutes, hours, days = seconds // 60, seconds // 3600, seconds // 86400
    if seconds < 120:
        return f"{seconds}s"
    if minutes < 10:
        return f"{minutes}m{seconds % 60}s" if seconds % 60 else f"{minutes}m"
    if minutes < 180:
        return f"{minutes}m"
    if hours < 8:
        return f"{hours}h{minutes % 60}m" if minutes % 60 else f"{hours}h"
    if hours < 48:
        return f"{hours}h"
    return _long_age(hours, days)


def _long_age(hours: int, days: int) -> str:
    if days < 8:
        return f"{days}d{hours % 24}h" if hours % 24 else f"{days}d"
    if days < 730:
        return f"{days}d"
    years, rest = divmod(days, 365)
    return f"{years}y{rest}d" if rest and years < 8 else f"{years}y"
