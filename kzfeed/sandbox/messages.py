"""What goes between kzfeed and its workers: values in, frames out, and back; a frame is its length and a pickle.

A Document goes to the worker and an Answer comes back. Whatever got the better of the worker might have written that:
nothing in it is run, and it is made of nothing but the values that answers are made of.
"""

import io
import pickle
import struct
from collections.abc import Callable, Mapping
from dataclasses import fields
from datetime import datetime, timedelta, timezone
from operator import attrgetter
from typing import Any, ClassVar

from kzfeed.errors import DocumentError
from kzfeed.model import Article, Document, Enclosure, Entry, Feed, FeedLink, FeedLinks, Media, Page, Read

LENGTH = struct.Struct(">Q")
"""How a frame's length stands in front of it."""

READY = LENGTH.pack(0)
"""An empty frame, once, when everything is imported: what a worker needs to begin is no document's fault."""

Request = Document | Page
Answer = Read | FeedLinks | DocumentError


class FrameError(Exception):
    """A frame that holds no answer."""


def longest_answer(memory: int) -> int:
    """How many bytes an answer may have, where reading may take `memory`."""
    return memory // 4


_Call = Callable[[Any], tuple[type[Any], tuple[Any, ...]]]


def _as_call(kind: type[Any]) -> _Call:
    values = attrgetter(*(each.name for each in fields(kind)))
    return lambda value: (kind, values(value))


_CALLS: Mapping[type[Any], _Call] = {kind: _as_call(kind) for kind in (Article, Entry, Enclosure, Media)}
"""What there are many of is made anew by a call of its class: a frozen dataclass's own way takes twice as long."""


def framed(value: Request | Answer) -> memoryview:
    """The value as a frame, in one piece."""
    frame = io.BytesIO()
    frame.write(bytes(LENGTH.size))
    pickler = pickle.Pickler(frame, pickle.HIGHEST_PROTOCOL)
    pickler.dispatch_table = _CALLS
    pickler.dump(value)
    LENGTH.pack_into(frame.getbuffer(), 0, frame.tell() - LENGTH.size)
    return frame.getbuffer()


def understood(frame: memoryview) -> Answer:
    """What is in the frame, without its length. Raises FrameError."""
    try:
        match _Unpickler(_File(frame)).load():
            case (DocumentError() | FeedLinks()) as answer:
                return answer
            case (Feed() as feed, tuple(articles)) if all(isinstance(each, Article) for each in articles):
                return feed, articles
    except Exception as error:
        # A pickle that is none can raise anything.
        raise FrameError from error
    raise FrameError


class _File:
    """A frame as a file that copies no more of it than is read: what a pickle's lines are for, no answer needs."""

    def __init__(self, frame: memoryview) -> None:
        self._rest = frame

    def read(self, size: int) -> bytes:
        read, self._rest = self._rest[:size], self._rest[size:]
        return bytes(read)

    def readline(self) -> bytes:
        raise pickle.UnpicklingError("a line")


class _Unpickler(pickle.Unpickler):
    """Makes only what answers are made of: a document may have got the better of the worker that read it."""

    _made: ClassVar = {
        (each.__module__, each.__qualname__): each
        for each in (
            Feed,
            Entry,
            Enclosure,
            Article,
            Media,
            FeedLinks,
            FeedLink,
            DocumentError,
            datetime,
            timedelta,
            timezone,
        )
    }

    def find_class(self, module: str, name: str) -> Any:
        if (module, name) not in self._made:
            raise pickle.UnpicklingError(f"{module}.{name}")
        return self._made[module, name]
