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
_CLASS_NAMES = "alnum|alpha|ascii|blank|cntrl|digit|graph|lower|print|punct|space|upper|word|xdigit"
_POSIX_CLASS = re.compile(rf"\[:\^?(?:{_CLASS_NAMES}):\]")
_UNICODE = re.compile(r"\\[pP](?:[A-Z]|\{\^?[A-Za-z_]+\})")
_LITERAL = re.compile(r"\\Q(.*?)(?:\\E|$)", re.DOTALL)
_FLAGS = r"\(\?[imsU]*(?:-[imsU]+)?(?P<end>[:)])"
_NAMED = r"\(\?P?<[A-Za-z_]\w*>"
_GROUP = re.compile(f"{_FLAGS}|{_NAMED}")
_TOKEN = re.compile(
    r"\\(?P<escape>.?)|(?P<set>\[\^?\]?(?:\\.|[^\]\\])*\])|(?P<group>\(\?)|\{(?P<least>\d+)(?:,(?P<most>\d*))?\}"
    r"|(?P<repeat>[*+?])|.",
    re.DOTALL,
)
_ESCAPES = frozenset("aftnrvdDsSwWbBAzCxpP0")


@lru_cache(maxsize=4096)
def acceptable(pattern: str) -> bool:
    """Whether RE2 is expected to compile the pattern."""
    rewritten = _LITERAL.sub(lambda found: re.escape(found[1]), pattern)
    rewritten = _UNICODE.sub(r"\\w", _POSIX_CLASS.sub("a-z", rewritten))
    return _within_re2(rewritten) and _compiles(rewritten)


def _within_re2(pattern: str) -> bool:
    """Nothing that Python has and RE2 lacks: look-around, back-references, possessive repeats, huge counts."""
    repeated = False
    for token in _TOKEN.finditer(pattern):
        escapes = re.findall(r"\\(.)", token["set"], re.DOTALL) if token["set"] else [token["escape"]]
        if any(e and e.isascii() and e.isalnum() and e not in _ESCAPES for e in escapes):
            return False
        if token["group"] and not _GROUP.match(pattern, token.start()):
            return False
        if token["least"] and max(int(token["least"]), int(token["most"] or 0)) > _MAX_REPEAT:
            return False
        if token["repeat"] and token["repeat"] in "*+" and repeated:
            return False
        repeated = bool(token["repeat"] or token["least"])
    return True


def _compiles(pattern: str) -> bool:
    # Flags are global in Python unless a group carries them, and U is unknown to it; neither matters for the grammar.
    translated = re.sub(_FLAGS, lambda found: "(?:" if found["end"] == ":" else "(?:)", pattern)
    translated = re.sub(r"\(\?<(?=[A-Za-z_])", "(?P<", translated).replace(r"\z", r"\Z").replace(r"\C", ".")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            re.compile(translated)
    except (re.error, OverflowError, RecursionError):
        return False
    return True
