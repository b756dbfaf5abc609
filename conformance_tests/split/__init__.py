"""SMI Traffic Split."""
