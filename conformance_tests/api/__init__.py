"""SMI objects in the Kubernetes API: CRDs, schemas, verbs."""
