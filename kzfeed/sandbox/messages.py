"""Messages between kzfeed and its workers: a frame is the length of a pickle, and the pickle.

A Request goes to the worker, and an Answer comes back. A hostile document may control its worker, so an
answer is not trusted: decoding it runs no code, and makes only the classes that an answer consists of.
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
from kzfeed.model.articles import (
    Article,
    Document,
    Enclosure,
    Entry,
    Feed,
    FeedLink,
    FeedLinks,
    HtmlPage,
    Media,
    ParsedDocument,
)
from kzfeed.model.pages import ArticlePage, ReadPage, RobotsAnswer, RobotsQuestion

LENGTH = struct.Struct(">Q")
"""The length in front of a frame."""

READY = LENGTH.pack(0)
"""An empty frame, which a worker sends once when it has imported everything. Starting counts for no document's time."""

Request = Document | HtmlPage | ArticlePage | RobotsQuestion
Answer = ParsedDocument | FeedLinks | ReadPage | RobotsAnswer | DocumentError


class MessageError(Exception):
    """A message is not a valid answer."""


def max_answer_size(memory: int) -> int:
    """How many bytes an answer may have if reading a document may take `memory` bytes."""
    return memory // 4


_Call = Callable[[Any], tuple[type[Any], tuple[Any, ...]]]


def _reduce_by_call(kind: type[Any]) -> _Call:
    values = attrgetter(*(each.name for each in fields(kind)))
    return lambda value: (kind, values(value))


_REDUCERS: Mapping[type[Any], _Call] = {kind: _reduce_by_call(kind) for kind in (Article, Entry, Enclosure, Media)}
"""How to pickle the classes of which there are many: as a call of the class, in half the time of the default."""


def encode(value: Request | Answer) -> memoryview:
    """The value as a frame."""
    frame = io.BytesIO()
    frame.write(bytes(LENGTH.size))
    pickler = pickle.Pickler(frame, pickle.HIGHEST_PROTOCOL)
    pickler.dispatch_table = _REDUCERS
    pickler.dump(value)
    LENGTH.pack_into(frame.getbuffer(), 0, frame.tell() - LENGTH.size)
    return frame.getbuffer()


def decode_answer(frame: memoryview) -> Answer:
    """The answer in a frame, which is given without its length. Raises MessageError."""
    try:
        match _Unpickler(_FrameFile(frame)).load():
            case (DocumentError() | FeedLinks() | ReadPage(Article()) | RobotsAnswer()) as answer:
                return answer
            case ParsedDocument(Feed(), tuple(articles)) as parsed if all(
                isinstance(each, Article) for each in articles
            ):
                return parsed
    except Exception as error:
        # Damaged pickles raise exceptions of many kinds.
        raise MessageError from error
    raise MessageError


class _FrameFile:
    """A frame as a file, without copying it. It has no lines: only old pickle protocols read those."""

    def __init__(self, frame: memoryview) -> None:
        self._rest = frame

    def read(self, size: int) -> bytes:
        read, self._rest = self._rest[:size], self._rest[size:]
        return bytes(read)

    def readline(self) -> bytes:
        raise pickle.UnpicklingError("a line")


class _Unpickler(pickle.Unpickler):
    """Unpickler that makes only the classes that an answer consists of."""

    _made: ClassVar = {
        (each.__module__, each.__qualname__): each
        for each in (
            ParsedDocument,
            Feed,
            Entry,
            Enclosure,
            Article,
            Media,
            FeedLinks,
            FeedLink,
            ReadPage,
            RobotsAnswer,
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
