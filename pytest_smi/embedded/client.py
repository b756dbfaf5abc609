"""The client side of the Kubernetes API, as the parts of the embedded cluster and its mesh import it."""

from pytest_smi.embedded.informer import Informer
from pytest_smi.embedded.rest import ApiFailure, Client, path_to

__all__ = ["ApiFailure", "Client", "Informer", "path_to"]
