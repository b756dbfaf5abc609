"""Tests that need etcd and kube-apiserver, in the folder that KUBEBUILDER_ASSETS names: `pytest tests/realapi`."""
