"""The few Kubernetes controllers that the suite needs."""
