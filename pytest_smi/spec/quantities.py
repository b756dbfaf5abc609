"""Kubernetes quantities (`500m`, `1.5`, `2Ki`, `1e3`) as exact numbers."""

from __future__ import annotations

import math
import re
from fractions import Fraction

PATTERN = r"^\+?([0-9]+(\.[0-9]*)?|\.[0-9]+)([KMGTPE]i|[numkMGTPE]|[eE][+-]?[0-9]+)?$"
"""A non-negative quantity, as a CRD schema can check it."""

_SHAPE = re.compile(r"([+-]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+))([KMGTPE]i|[numkMGTPE]|[eE][+-]?[0-9]{1,3})?")
_DECIMAL = {"n": -9, "u": -6, "m": -3, "": 0, "k": 3, "M": 6, "G": 9, "T": 12, "P": 15, "E": 18}
_BINARY = ("Ki", "Mi", "Gi", "Ti", "Pi", "Ei")


def quantity(value: str | int) -> Fraction:
    """The exact value of a quantity: `quantity("500m") == Fraction(1, 2)`. Raises ValueError when it is none."""
    shape = _SHAPE.fullmatch(str(value))
    if shape is None or isinstance(value, bool):
        raise ValueError(f"{value!r} is not a Kubernetes quantity")
    number, suffix = Fraction(shape[1]), shape[2] or ""
    if suffix in _BINARY:
        return number * Fraction(1024) ** (_BINARY.index(suffix) + 1)
    exponent = _DECIMAL[suffix] if suffix in _DECIMAL else int(suffix[1:])
    return number * Fraction(10) ** exponent


def milli(value: str | int) -> int:
    """A quantity in thousandths, rounded up as Kubernetes does: `milli("1") == 1000`, `milli("500m") == 500`."""
    return math.ceil(quantity(value) * 1000)
