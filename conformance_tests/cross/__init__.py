"""Statements that join several SMI groups."""
