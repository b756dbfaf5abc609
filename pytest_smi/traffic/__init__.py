"""A request plan goes out, observations come back; statistics decide."""
