"""A real Kubernetes and real meshes on one Linux host, inside namespaces of their own. See docs/real-cluster.md."""
