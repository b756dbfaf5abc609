"""The one error of this package, and waiting that ends in it."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

_PAUSE = 0.05


class E2eError(Exception):
    """Something that the harness needs did not come about; the text says what, and what to do."""


def until(condition: Callable[[], object], seconds: float, what: str, hint: Callable[[], str] = str) -> None:
    """Poll until the condition holds. Raises E2eError after `seconds`, with what `hint` finds then."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            more = hint()
            raise E2eError(f"waited {seconds:.0f} s for {what}" + (f"\n{more}" if more else ""))
        time.sleep(_PAUSE)  # the interval of a poll with a deadline
