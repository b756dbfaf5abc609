"""Traffic metrics: the API that tells them, and whether they are true."""
