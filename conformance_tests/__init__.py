"""The SMI conformance suite: short stories, one requirement each, no machinery. It imports only `pytest_smi`."""
