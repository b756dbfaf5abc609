"""A small Kubernetes API server; what it does not know it refuses."""
