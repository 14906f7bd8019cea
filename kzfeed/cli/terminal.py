"""Lines that fit the terminal: sentences are wrapped at spaces, entries of lists shortened.

Lines that go to a file or a pipe stay whole.
"""

import re
import shutil
from typing import TextIO

_COLOUR = re.compile(r"\x1b\[[0-9;]*m")


def width(stream: TextIO) -> int | None:
    """The columns of the terminal that the stream writes to, 80 if it does not say; None for a file or a pipe."""
    return shutil.get_terminal_size().columns if stream.isatty() else None


def shortened(line: str, columns: int) -> str:
    """The line, or as much of it as fits and an ellipsis."""
    from rich.cells import cell_len, chop_cells

    return line if cell_len(line) <= columns else chop_cells(line, columns - 1)[0] + "…"


def wrapped(line: str, columns: int, indent: int = 2) -> str:
    """The line, broken at spaces where it is too long; `indent` columns are left free before what follows a break.

    An address that is longer than a line stays whole, so that it can be copied. Other long words are broken.
    """
    from rich.cells import cell_len, chop_cells

    if cell_len(_COLOUR.sub("", line)) <= columns:
        return line
    pieces: list[str] = []
    used = 0
    for number, word in enumerate(line.split(" ")):
        length = cell_len(_COLOUR.sub("", word))
        if length > columns - indent and "://" not in word:
            first, *others = chop_cells(word, columns - indent)
            pieces.append(f"\n{' ' * indent}{first}" if number and used > indent else first)
            pieces.extend(f"\n{' ' * indent}{each}" for each in others)
            used = indent + cell_len(others[-1] if others else first)
        elif number and used + 1 + length > columns and used > indent:
            pieces.append(f"\n{' ' * indent}{word}")
            used = indent + length
        else:
            pieces.append(" " + word if number else word)
            used += length + bool(number)
    return "".join(pieces)


def with_short_words(text: str, columns: int) -> str:
    """The text with every longer word, such as an address, shortened to so many columns."""
    return re.sub(r"\S+", lambda match: shortened(match[0], columns), text)
