"""What traffic flows between: the scene of sample application pods and their agents."""
