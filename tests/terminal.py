"""kzfeed at a terminal: what it prints there."""

import contextlib
import fcntl
import os
import pty
import struct
import termios
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path

from tests.fork_server import fork_server


def at_terminal(
    arguments: Sequence[str], folder: Path, environment: Mapping[str, str], *, typed: Sequence[str] = ()
) -> str:
    """What a terminal of 80 columns gets from both streams of a command that succeeds or fails.

    `typed` are the answers to its questions, which end with `]: `.
    """
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 80, 0, 0))
    terminal = os.ttyname(theirs)
    stdin = terminal if typed else os.devnull
    process = fork_server().start(arguments, folder, environment, stdout=terminal, stderr=terminal, stdin=stdin)
    answers = iter(typed)

    def hang_up() -> None:
        fork_server().wait(process)
        os.close(theirs)

    hanging_up = threading.Thread(target=hang_up)
    hanging_up.start()
    received = b""
    with contextlib.suppress(OSError):  # Linux reports the end of the other side as an error
        while some := os.read(ours, 65536):
            received += some
            if typed and received.endswith(b"]: "):
                os.write(ours, f"{next(answers)}\n".encode())
    hanging_up.join()
    os.close(ours)
    return received.decode()
