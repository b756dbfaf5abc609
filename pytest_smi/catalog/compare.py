"""Where runs differ, instance by instance."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pytest_smi.catalog.judged import Judged


def compared(runs: Sequence[Judged]) -> dict[str, list[str]]:
    """Instance key -> its verdict in each run; `-` where a run did not judge it."""
    keys = sorted({key for one in runs for key in one.instances})
    return {key: [one.verdict(key) or "-" for one in runs] for key in keys}


def differences(runs: Sequence[Judged]) -> dict[str, list[str]]:
    """The instances whose verdict is not the same in all runs."""
    return {key: verdicts for key, verdicts in compared(runs).items() if len(set(verdicts)) > 1}
