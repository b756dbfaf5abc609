"""The reference mesh: SMI to Envoy."""
