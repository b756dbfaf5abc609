"""`pytest-smi COMMAND`: what is done beside test runs. A module in pytest_smi/commands for each command.

Exit status: 0 done, 1 what the command itself says (`compare`: runs differ), 3 cluster or harness kept us from it, 4 a
flag is wrong; each with one line on what to do.
"""

from __future__ import annotations

import argparse
import importlib
import sys
from typing import TYPE_CHECKING, Any, NoReturn

from pytest_smi import __version__
from pytest_smi.errors import HarnessError

if TYPE_CHECKING:
    from collections.abc import Sequence

COMMANDS = ("catalog", "clean", "collect", "compare", "in-pod", "job", "rbac")
DONE, TROUBLE, USAGE = 0, 3, 4


class _Parser(argparse.ArgumentParser):
    """Tells a mistake in one line, with our exit status for it; flags are written out."""

    def __init__(self, **options: Any) -> None:
        super().__init__(allow_abbrev=False, **options)

    def error(self, message: str) -> NoReturn:
        self.exit(USAGE, f"{self.prog}: {message} ({self.prog} --help shows all flags)\n")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command (default: that of the command line); returns the exit status."""
    parser = _Parser(prog="pytest-smi", description="Service Mesh Interface conformance, beside the test runs")
    parser.add_argument("--version", action="version", version=f"pytest-smi {__version__}")
    commands = parser.add_subparsers(metavar="COMMAND", required=True, parser_class=_Parser)
    for name in COMMANDS:
        module = importlib.import_module(f"pytest_smi.commands.{name.replace('-', '_')}")
        command = commands.add_parser(name, help=module.HELP, description=module.HELP)
        module.arguments(command)
        command.set_defaults(run=module.run, takes_rest=hasattr(module, "REST"))
    given, rest = parser.parse_known_args(arguments)
    given.rest = rest
    if rest and not given.takes_rest:
        parser.error(f"unrecognized arguments: {' '.join(rest)}")
    try:
        return int(given.run(given))
    except HarnessError as fault:
        print(f"pytest-smi: {fault}", file=sys.stderr)
        return USAGE if isinstance(fault, LookupError) else TROUBLE  # an unknown name is a wrong flag
    except KeyboardInterrupt:
        print("pytest-smi: interrupted", file=sys.stderr)
        return TROUBLE


if __name__ == "__main__":
    sys.exit(main())
