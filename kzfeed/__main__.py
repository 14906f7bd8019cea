"""The program `kzfeed`, also as `python -m kzfeed`: the command line, which Ctrl-C ends without a traceback."""

import os
import signal
import sys

_INTERRUPTED = 128 + signal.SIGINT


def main() -> None:
    """Import the command line, run the command of `sys.argv`, and exit."""
    # An exception in the midst of imports could be lost, or appear as one of another kind. Nothing is begun yet.
    is_interruptible = signal.getsignal(signal.SIGINT) is signal.default_int_handler
    if is_interruptible:
        signal.signal(signal.SIGINT, lambda _number, _frame: os._exit(_INTERRUPTED))
    from kzfeed.cli.main import main as run

    if is_interruptible:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        run()
    except KeyboardInterrupt:
        sys.exit(_INTERRUPTED)


if __name__ == "__main__":
    main()
