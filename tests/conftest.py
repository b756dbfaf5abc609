"""What every test finds: a process that Ctrl-C interrupts."""

from __future__ import annotations

import signal

# A shell starts what it puts into the background with SIGINT ignored, and so would every process that the tests start.
if signal.getsignal(signal.SIGINT) == signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)
