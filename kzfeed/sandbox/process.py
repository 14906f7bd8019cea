"""What the processes that kzfeed starts for itself have in common: they live and die with the one that started them."""

import ctypes
import os
import signal
import sys

_PR_SET_PDEATHSIG = 1


def live_and_die_with(parent: int) -> None:
    """Leave the signals that are meant for all of a service to the parent (its process id), and end when it ends.

    On Linux at once, whatever this process does; elsewhere not before it sees the end of its input.
    """
    # It may still want an answer when somebody presses Ctrl-C or stops the service.
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        os._exit(1)  # it ended before the kernel knew
