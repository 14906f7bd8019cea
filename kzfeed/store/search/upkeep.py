"""Upkeep of the search index: builds it if there is none that can be used, and adds new and changed articles."""

import time
from collections.abc import Callable

from kzfeed.store.search.index import PAUSE_S, Index, IndexUnusable, Lag, OnProgress

BATCH = 2_000
"""Articles that are indexed in one transaction: one or two seconds of work."""
SMALL_LAG = 1_000
"""The greatest number of articles that a search indexes itself although another process is indexing.

The daemon indexes so many in a thread, and more in a process."""


def catch_up(
    index: Index, on_progress: OnProgress = lambda done, total: None, *, go_on: Callable[[], bool] = lambda: True
) -> int:
    """Index all new and changed articles, and return how many there were.

    An index that cannot be used is built again. `go_on` is asked after each transaction whether to continue.
    """
    try:
        lag = index.lag()
    except IndexUnusable:
        index.rebuild(on_progress)
        lag = index.lag()
    done = 0
    while go_on():
        try:
            indexed = index.index_some(BATCH)
        except IndexUnusable:
            index.rebuild(on_progress)
            continue
        if not indexed:
            break
        done += indexed
        on_progress(done, max(done, lag.articles))
        if indexed >= BATCH:
            time.sleep(PAUSE_S)
    return done


def catch_up_before_search(index: Index, on_progress: OnProgress = lambda done, total: None) -> Lag:
    """Index new and changed articles before a search, unless there are many and another process is indexing them.

    Returns how far the index is behind afterwards. Does nothing if this user may not write the index; then raises
    IndexUnusable if it cannot be used.
    """
    try:
        lag = index.lag()
        if not lag.is_behind or (lag.articles > SMALL_LAG and lag.is_shrinking) or not index.may_write():
            return lag
    except IndexUnusable:
        if not index.may_write():
            raise
    catch_up(index, on_progress)
    return index.lag()
