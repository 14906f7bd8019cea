"""A process of its own that reads documents, so that a hostile one can be killed: frames on standard input and output.

A Document comes in, an Answer goes out (see frames.py). It ends when its input does, when its parent does, or when
reading has left it too big.
"""

import gc
import os
import pickle
import resource
import signal
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

from kzfeed.errors import DocumentError
from kzfeed.model import Document, FeedLinks, Page, Read
from kzfeed.sandbox.document import read
from kzfeed.sandbox.messages import LENGTH, READY, Answer, Request, framed, longest_answer
from kzfeed.sandbox.process import live_and_die_with

_WARM_UP = Document(
    b"<rss \x81\x8d\x8f\x90\x9d\x81\x8d\x8f\x90",
    None,
    "https://example.org/",
    timezone=None,
    now=datetime(2000, 1, 1, tzinfo=UTC),
)
"""Broken, in an encoding that nobody knows: reading it takes every way there is, with all that is imported there."""

Reader = Callable[[Document], Read]

MIB = 2**20

_GRACE_SECONDS = 1.0
"""How long after its time a document is left to the parent to end."""


def main(reader: Reader = read) -> None:
    """Serve until standard input ends. The arguments are the bytes and the seconds that reading a document may take."""
    memory, seconds = int(sys.argv[1]), float(sys.argv[2])
    live_and_die_with(os.getppid())
    signal.signal(signal.SIGALRM, signal.SIG_DFL)
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
        try:
            frame = _answered(sys.stdin.buffer.read(LENGTH.unpack(header)[0]), reader, longest_answer(memory))
        except MemoryError:
            frame = None
        signal.setitimer(signal.ITIMER_REAL, 0)
        answers.write(frame or framed(_too_much(memory)))
        answers.flush()
        # The next document has a right to its memory too, and the rest of this one may still be on its way.
        if frame is None or _has_grown(idle + memory // 4):
            break
        del frame


def _answered(request: bytes, reader: Reader, longest: int) -> memoryview:
    """The frame that answers the one that was read. Raises MemoryError, also where it were longer than allowed."""
    document: Request = pickle.loads(request)  # noqa: S301 - from our own parent
    del request
    frame = framed(_answer(document, reader))
    if len(frame) > LENGTH.size + longest:
        raise MemoryError
    return frame


def _answer(document: Request, reader: Reader) -> Answer:
    """Raises MemoryError."""
    try:
        return _feed_links(document) if isinstance(document, Page) else reader(document)
    except DocumentError as error:
        if isinstance(error.__cause__, MemoryError):
            raise error.__cause__ from None
        return error
    except MemoryError:
        raise
    except Exception as error:  # noqa: BLE001 - whatever it is, it is this document's and goes into its poll's record
        # In ASCII, since what an error quotes may be what no database stores.
        return DocumentError("internal", f"a fault of kzfeed's own, worth a report: {ascii(error)[:200]}")


def _feed_links(page: Page) -> FeedLinks:
    # Only `kzfeed sources check` asks for this: the daemon's workers need not import Beautiful Soup.
    from kzfeed.sandbox.feed_links import find_feed_links

    return find_feed_links(page)


def _too_much(memory: int) -> DocumentError:
    return DocumentError(
        "parse", f"reading it takes more memory than allowed: `memory` under [parse] is {memory / MIB:g} MiB"
    )


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
