"""A real kube-apiserver with its etcd, in place of the API server of this package."""
