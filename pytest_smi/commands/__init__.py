"""What `pytest-smi` can do: a module for each subcommand, listed in pytest_smi/cli.py.

Each has `HELP`, one line; `arguments(parser)`, which declares its flags; and `run(given)`, which does it and returns
the exit status. Heavy imports belong into `run`.
"""
