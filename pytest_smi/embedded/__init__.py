"""The pip-only cluster and reference mesh, run as processes of their own."""
