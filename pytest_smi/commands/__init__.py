"""What `pytest-smi` can do: a module for each subcommand, listed in pytest_smi/cli.py.

Each has `HELP`, one line; `arguments(parser)`, which declares its flags; and `run(given)`, which does it and returns
the exit status. Heavy imports belong into `run`. One with `REST`, a line on what else it takes, finds in `given.rest`
whatever it has not declared.
"""
