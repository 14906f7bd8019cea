"""A process of its own that reads documents, so that a hostile one can be killed: frames on standard input and output.

A frame is its length in 8 bytes and a pickle: a Document in, an Answer out. It ends when its input does.
"""

import pickle
import resource
import signal
import struct
import sys
from pathlib import Path
from typing import BinaryIO

from kzfeed.document import Document, Read, read
from kzfeed.errors import DocumentError

LENGTH = struct.Struct(">Q")

READY = b"\x06"
"""Written once, when everything is imported: what a worker needs to begin is no document's fault."""

Answer = Read | DocumentError


def main() -> None:
    """Serve until standard input ends. The first argument is how many bytes of memory reading may take."""
    # A Ctrl-C at the terminal is the parent's to handle.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    _limit_memory(int(sys.argv[1]))
    serve(sys.stdin.buffer, sys.stdout.buffer)


def serve(requests: BinaryIO, answers: BinaryIO) -> None:
    """Answer every request on the one stream with a frame on the other."""
    answers.write(READY)
    answers.flush()
    while header := requests.read(LENGTH.size):
        document = pickle.loads(requests.read(LENGTH.unpack(header)[0]))  # noqa: S301 - from our own parent
        frame = pickle.dumps(_answer(document), protocol=pickle.HIGHEST_PROTOCOL)
        answers.write(LENGTH.pack(len(frame)))
        answers.write(frame)
        answers.flush()


def _answer(document: Document) -> Answer:
    try:
        return read(document)
    except DocumentError as error:
        return error
    except MemoryError:
        return DocumentError("parse", "reading it takes more memory than allowed")
    except Exception as error:  # noqa: BLE001 - whatever it is, it is this document's and goes into its poll's record
        return DocumentError("internal", f"{type(error).__name__}: {error}")


def _limit_memory(allowance: int) -> None:
    pages = int(Path("/proc/self/statm").read_text("ascii").split()[0]) if Path("/proc/self/statm").exists() else 0
    limit = pages * resource.getpagesize() + allowance
    resource.setrlimit(resource.RLIMIT_AS, (limit, limit))


if __name__ == "__main__":
    main()
