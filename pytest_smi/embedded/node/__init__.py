"""A node that runs pods as local processes."""
