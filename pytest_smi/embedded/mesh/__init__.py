"""The reference mesh: SMI objects read from the Kubernetes API, enforced by Envoy. See docs/reference-mesh.md.

Run as `python -m pytest_smi.embedded.mesh`. The way of a change through the modules:
`controller` hears of it, `compiler` turns the snapshot into a `Policy` with the decisions of `semantics` (or of a
seeded fault), `envoy_*` renders that as Envoy resources, `xds` writes the files that changed.
"""
