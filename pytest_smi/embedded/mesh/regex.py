"""Which regular expressions Envoy's RE2 takes, told without RE2.

A pattern that RE2 refuses would make Envoy reject a whole route table, and with it every revocation in it. So patterns
are screened here. Python's own engine checks the grammar that both share; what only one of them knows is handled by
name. Errors of this approximation are caught by the data plane's rejection counters (see `controller`).
"""

from __future__ import annotations

import re
import warnings
from functools import lru_cache

_MAX_REPEAT = 1000
_REPEAT = re.compile(r"\{(\d*)(?:,(\d*))?\}")
_POSIX_CLASS = re.compile(r"\[:\^?(?:alnum|alpha|ascii|blank|cntrl|digit|graph|lower|print|punct|space|upper|word|xdigit):\]")
_UNICODE_CLASS = re.compile(r"\\[pP](?:[A-Z]|\{\^?[A-Za-z_]+\})")
_LITERAL = re.compile(r"\\Q(.*?)(?:\\E|$)", re.DOTALL)
_GROUP = re.compile(r"\(\?(?:P<[A-Za-z_]\w*>|<[A-Za-z_]\w*>|[imsU]*(?:-[imsU]+)?[:)])")
_ESCAPES = frozenset("aftnrvdDsSwWbBAzCxpPQE01234567")


@lru_cache(maxsize=4096)
def acceptable(pattern: str) -> bool:
    """Whether RE2 is expected to compile the pattern."""
    rewritten = _LITERAL.sub(lambda found: re.escape(found[1]), pattern)
    rewritten = _UNICODE_CLASS.sub(r"\\w", _POSIX_CLASS.sub("a-z", rewritten))
    return _syntax(rewritten) and _compiles(rewritten)


def _syntax(pattern: str) -> bool:
    """Nothing outside RE2's grammar: look-around, back-references, possessive repeats, huge counts."""
    position, in_class, repeated = 0, False, False
    while position < len(pattern):
        char = pattern[position]
        if char == "\\":
            following = pattern[position + 1 : position + 2]
            if following.isascii() and following.isalnum() and (following not in _ESCAPES or following in "1234567"):
                return False
            position, repeated = position + 2, False
            continue
        if in_class:
            in_class = char != "]"
        elif char == "[":
            in_class = True
            position += pattern[position + 1 : position + 3].startswith("^]") * 2 or (
                pattern[position + 1 : position + 2] == "]"
            )
        elif char == "(" and pattern[position + 1 : position + 2] == "?" and not _GROUP.match(pattern, position):
            return False
        elif (count := _REPEAT.match(pattern, position)) and not _small(count):
            return False
        elif char in "*+" and repeated:
            return False
        repeated = not in_class and char in "*+?}"
        position += 1
    return True


def _small(count: re.Match[str]) -> bool:
    return all(int(bound) <= _MAX_REPEAT for bound in count.groups() if bound)


def _compiles(pattern: str) -> bool:
    translated = re.sub(r"\(\?<(?=[A-Za-z_])", "(?P<", pattern).replace(r"\z", r"\Z").replace(r"\C", ".")
    # Flags are global in Python unless a group carries them, and U is unknown to it; neither matters for the grammar.
    translated = re.sub(r"\(\?[imsU]*(?:-[imsU]+)?([:)])", lambda found: "(?:" if found[1] == ":" else "(?:)", translated)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            re.compile(translated)
    except (re.error, OverflowError, RecursionError):
        return False
    return True
