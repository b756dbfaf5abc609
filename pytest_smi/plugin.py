"""pytest hooks only; imports nothing heavy."""
