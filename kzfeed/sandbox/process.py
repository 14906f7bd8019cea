"""Set-up of child processes: they ignore signals, which their parent handles, and end with their parent."""

import ctypes
import os
import signal
import sys

_PR_SET_PDEATHSIG = 1


def end_with_parent(parent: int) -> None:
    """Ignore SIGINT, SIGTERM and SIGHUP, which the parent handles, and end when the parent (a process id) ends.

    On Linux the kernel ends this process at once; elsewhere it ends when its input does.
    """
    # After Ctrl-C the parent may still wait for an answer.
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        os._exit(1)  # the parent ended before the call of prctl
