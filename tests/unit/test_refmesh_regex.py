"""Which patterns the reference mesh hands to RE2."""

import pytest

from pytest_smi.embedded.mesh.regex import acceptable


@pytest.mark.parametrize(
    "pattern",
    [
        "",
        "/pour$",
        "^/p(our|ot)/.*",
        r"/a\.c",
        r"\d+\s\w\b",
        "[[:alpha:]]+",
        r"\pN\p{Greek}",
        r"\Qa.b(\E",
        "(?i)/pour",
        "(?i:a)b(?-i)",
        "(?P<name>a)",
        "(?<name>a)",
        "(?U)a+?",
        "a{2,1000}",
        "a*?",
        "a??",
        "x}*",
        "[]a]",
        "[^]a]*",
        r"[\]*+]+",
        "[a&&b]",
        r"a\z",
        "(|a)*",
    ],
)
def test_patterns_of_re2_are_accepted(pattern: str) -> None:
    assert acceptable(pattern)


@pytest.mark.parametrize(
    "pattern",
    [
        "([",
        "*",
        "(?P<",
        "(",
        ")",
        "[z-a]",
        "(?=a)",
        "(?!a)",
        "(?<=a)b",
        "(?<!a)b",
        r"(a)\1",
        "(?P<n>a)(?P=n)",
        "(?>a)",
        "(?#c)",
        "(?(1)a)",
        "a**",
        "a*+",
        "a++",
        "a{1001}",
        "a{2,1001}",
        r"\8",
        r"\G",
        r"\Z",
        r"a\u0041",
        r"[\1]",
        "\\",
    ],
)
def test_what_re2_does_not_have_is_refused(pattern: str) -> None:
    assert not acceptable(pattern)
