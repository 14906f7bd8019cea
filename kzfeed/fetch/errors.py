"""The error with which a visit ends early. It stays inside this package: the Fetcher turns it into a `Failed`."""

from kzfeed.errors import KzfeedError
from kzfeed.model.polls import FailureKind


class VisitError(KzfeedError):
    """A visit has failed: the kind of the failure, and words that say what was wrong."""

    def __init__(self, kind: FailureKind, words: str) -> None:
        self.kind: FailureKind = kind
        self.words = words
        super().__init__(words)
