"""A process of its own that reads documents, so that a hostile one can be killed: frames on standard input and output.

A frame is its length in 8 bytes and a pickle: a Document in, an Answer out. It ends when its input does, when its
parent does, or when reading has left it too big.
"""

import ctypes
import gc
import os
import pickle
import resource
import signal
import struct
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import BinaryIO

from kzfeed.document import Document, Read, read
from kzfeed.errors import DocumentError

LENGTH = struct.Struct(">Q")

READY = b"\x06"
"""Written once, when everything is imported: what a worker needs to begin is no document's fault."""

_WARM_UP = Document(b"<rss ", None, "https://example.org/", timezone=None, now=datetime(2000, 1, 1, tzinfo=UTC))
"""Broken, so that reading it takes every way there is, with all that is imported on the way."""

Answer = Read | DocumentError
Reader = Callable[[Document], Read]

_PR_SET_PDEATHSIG = 1
_GRACE_SECONDS = 1.0
"""How long after its time a document is left to the parent to end."""


def longest_answer(memory: int) -> int:
    """How many bytes an answer may have, where reading may take `memory`."""
    return memory // 4


def main(reader: Reader = read) -> None:
    """Serve until standard input ends. The arguments are the bytes and the seconds that reading a document may take."""
    memory, seconds = int(sys.argv[1]), float(sys.argv[2])
    _live_and_die_with_the_parent()
    answers = os.fdopen(os.dup(1), "wb")
    # What a library may print is no answer.
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    _answer(_WARM_UP, reader)
    idle = _limit(memory)
    answers.write(READY)
    answers.flush()
    while header := sys.stdin.buffer.read(LENGTH.size):
        # The parent ends what takes too long. Should it be gone or stand still, the kernel does.
        signal.setitimer(signal.ITIMER_REAL, seconds + _GRACE_SECONDS)
        frame = _answered(sys.stdin.buffer.read(LENGTH.unpack(header)[0]), reader, longest_answer(memory))
        signal.setitimer(signal.ITIMER_REAL, 0)
        _write(answers, frame)
        del frame
        # The next document has a right to its memory too.
        if _has_grown(idle + memory // 4):
            break


def _answered(request: bytes, reader: Reader, longest: int) -> bytes:
    """The frame that answers the one that was read."""
    document: Document = pickle.loads(request)  # noqa: S301 - from our own parent
    del request
    try:
        frame = _pickled(_answer(document, reader))
    except MemoryError:
        frame = b""
    return frame if 0 < len(frame) <= longest else _pickled(_too_much_memory())


def _answer(document: Document, reader: Reader) -> Answer:
    try:
        return reader(document)
    except DocumentError as error:
        return error
    except MemoryError:
        return _too_much_memory()
    except Exception as error:  # noqa: BLE001 - whatever it is, it is this document's and goes into its poll's record
        # In ASCII, since what an error quotes may be what no database stores.
        return DocumentError("internal", ascii(error)[:200])


def _too_much_memory() -> DocumentError:
    return DocumentError("parse", "reading it takes more memory than allowed")


def _pickled(answer: Answer) -> bytes:
    return pickle.dumps(answer, protocol=pickle.HIGHEST_PROTOCOL)


def _write(answers: BinaryIO, frame: bytes) -> None:
    answers.write(LENGTH.pack(len(frame)))
    answers.write(frame)
    answers.flush()


def _live_and_die_with_the_parent() -> None:
    # A Ctrl-C at the terminal and a SIGTERM to all of a service are for the parent, which may still want an answer.
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    signal.signal(signal.SIGALRM, signal.SIG_DFL)
    if sys.platform == "linux":
        # An idle worker sees the end of its input, one that reads a document sees nothing.
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


def _limit(memory: int) -> int:
    """Allow `memory` more bytes of address space than are in use: how many those are."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    idle = _address_space()
    if idle:
        _, hard = resource.getrlimit(resource.RLIMIT_AS)
        most = idle + memory if hard == resource.RLIM_INFINITY else min(idle + memory, hard)
        resource.setrlimit(resource.RLIMIT_AS, (most, most))
    return idle


def _has_grown(most: int) -> bool:
    if _address_space() <= most:
        return False
    gc.collect()
    return _address_space() > most


def _address_space() -> int:
    """How many bytes of address space this process has, which is what RLIMIT_AS counts; 0 where no /proc tells."""
    statm = Path("/proc/self/statm")
    return int(statm.read_text("ascii").split()[0]) * resource.getpagesize() if statm.exists() else 0


if __name__ == "__main__":
    main()
