"""The limit of open files (RLIMIT_NOFILE), and how many connections it allows."""

import resource

OTHER_FILES = 100
"""Descriptors for everything but connections: database, workers, log, look-ups of names."""
FILES_PER_CONNECTION = 2
"""A host with several addresses is tried at two of them at a time."""


def allowed_connections(wanted: int) -> int:
    """How many connections, `wanted` at most, the limit of open files allows, after raising it as far as necessary."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    needed = OTHER_FILES + FILES_PER_CONNECTION * wanted
    limit = _raised(soft, hard, needed)
    if limit != soft:
        resource.setrlimit(resource.RLIMIT_NOFILE, (limit, hard))
    return wanted if limit == resource.RLIM_INFINITY else connections_within(limit, wanted)


def connections_within(limit: int, wanted: int) -> int:
    """The number of connections that this limit of open files allows: at least 1, at most `wanted`."""
    return max(1, min(wanted, (limit - OTHER_FILES) // FILES_PER_CONNECTION))


def _raised(soft: int, hard: int, needed: int) -> int:
    if soft == resource.RLIM_INFINITY or soft >= needed:
        return soft
    return needed if hard == resource.RLIM_INFINITY else min(needed, hard)
