"""The pytest-smi command."""
