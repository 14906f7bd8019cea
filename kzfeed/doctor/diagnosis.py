"""One result of `kzfeed doctor`."""

from dataclasses import dataclass
from typing import Literal

Level = Literal["good", "to look at", "broken"]


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """What was examined, how it is, and a sentence that says why and, where it is not good, what to do."""

    subject: str
    level: Level
    said: str
