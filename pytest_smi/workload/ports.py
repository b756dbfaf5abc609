"""Ports of the sample application, the same in every pod: HTTP, TCP echo, server-first TCP, UDP, the agent's own."""

HTTP = (8080, 9090)
TCP = (7000, 7001, 7002)
BANNER = (7100,)
UDP = (5530, 5531)
CONTROL = 15900
