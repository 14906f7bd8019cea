"""The error with which a visit ends early, also from the caller's `on_hop`. The Fetcher turns it into a `Failed`."""

from kzfeed.errors import KzfeedError
from kzfeed.model.polls import FailureKind


class VisitError(KzfeedError):
    """A visit has failed: the kind of the failure, and words that say what was wrong."""

    def __init__(self, kind: FailureKind, words: str) -> None:
        self.kind: FailureKind = kind
        self.words = words
        super().__init__(words)
