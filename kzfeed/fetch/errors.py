"""Why a visit brought nothing, on its way from where it was noticed to the Failed that is handed back.

It never leaves `net`: the Fetcher turns it into a value.
"""

from kzfeed.errors import KzfeedError
from kzfeed.model import FailureKind


class VisitError(KzfeedError):
    """The visit is over: which kind of failure, and in words what was wrong."""

    def __init__(self, kind: FailureKind, words: str) -> None:
        self.kind: FailureKind = kind
        self.words = words
        super().__init__(words)
