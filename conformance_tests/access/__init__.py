"""Requirements of SMI Traffic Access (access.smi-spec.io)."""
