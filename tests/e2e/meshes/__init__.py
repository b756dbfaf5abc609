"""Profiles of the meshes as they are installed here, and the objects of a mesh whose chart is in no module."""
