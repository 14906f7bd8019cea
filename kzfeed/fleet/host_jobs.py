"""Host jobs: the due sources of a host, which the members of a fleet share out, as messages of NATS."""

import json
from collections.abc import Iterable
from dataclasses import dataclass
from urllib.parse import quote, unquote

from kzfeed.errors import KzfeedError
from kzfeed.instants import instant_of, milliseconds
from kzfeed.store.queue.claims import DueSource

_NO_HOST = "%"


class HostJobError(KzfeedError):
    """A message is not a host job that this version of kzfeed knows."""


@dataclass(frozen=True, slots=True)
class HostJob:
    """The due sources of one host: one, or as many as the host allows to be visited at a time.

    It holds the due time of each source. A poll changes that time, so members recognise a host job that is out of date.
    No member polls a source before its due time.
    """

    host: str
    sources: tuple[DueSource, ...]


def jobs_of(due: Iterable[DueSource]) -> list[HostJob]:
    """The host jobs for these sources, the host of the first source first."""
    by_host: dict[str, list[DueSource]] = {}
    for each in due:
        by_host.setdefault(each.host, []).append(each)
    return [HostJob(host, tuple(sources)) for host, sources in by_host.items()]


def token_of(host: str) -> str:
    """The host as one token of a subject in NATS, where dots separate tokens and `*` and `>` are wildcards."""
    return quote(host, safe="").replace(".", "/") or _NO_HOST


def host_of_token(token: str) -> str:
    """The host that `token_of` made this token of."""
    return "" if token == _NO_HOST else unquote(token.replace("/", "."))


def encode_job(job: HostJob) -> bytes:
    """The content of the message for this job."""
    return json.dumps({"sources": [[each.id, milliseconds(each.due_at)] for each in job.sources]}).encode()


def decode_job(token: str, content: bytes) -> HostJob:
    """The job in a message. Raises HostJobError. What a later version adds is ignored."""
    host = host_of_token(token)
    try:
        sources = json.loads(content)["sources"]
        return HostJob(host, tuple(DueSource(int(id_), host, instant_of(int(due))) for id_, due in sources))
    except (ValueError, TypeError, LookupError, OverflowError) as error:
        raise HostJobError(f"the job for the host {host} cannot be read: {error!r}") from error
