"""What SMI says: requirements, releases, resources, rendering, CRDs. Pure, no I/O."""
