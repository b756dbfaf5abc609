"""Where the run happens: how a Kubernetes API is reached, and how a pod's port is."""
