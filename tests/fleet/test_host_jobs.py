"""Jobs as NATS carries them."""

from datetime import UTC, datetime

import pytest

from kzfeed.fleet.host_jobs import HostJob, HostJobError, decode_job, encode_job, host_of_token, jobs_of, token_of
from kzfeed.store.queue.claims import DueSource

AT = datetime(2026, 3, 1, 12, 30, 0, 123000, tzinfo=UTC)


def due(number: int, host: str) -> DueSource:
    return DueSource(number, host, AT)


def test_a_job_is_read_as_it_was_written() -> None:
    job = HostJob("news.example", (due(7, "news.example"), due(8, "news.example")))

    assert decode_job(token_of(job.host), encode_job(job)) == job


def test_what_a_later_version_adds_to_a_job_is_ignored() -> None:
    assert decode_job("a/example", b'{"sources": [[7, 1772368200123]], "later": true}') == HostJob(
        "a.example", (due(7, "a.example"),)
    )


@pytest.mark.parametrize(
    "content", [b"", b"[]", b'{"sources": 7}', b'{"sources": [[1]]}', b'{"sources": [[1, 1e30]]}', b"\xff"]
)
def test_any_other_message_is_refused(content: bytes) -> None:
    with pytest.raises(HostJobError, match=r"the job for the host a\.example cannot be read"):
        decode_job("a/example", content)


def test_each_host_has_one_job_with_all_its_sources() -> None:
    found = jobs_of([due(1, "a"), due(2, "b"), due(3, "a")])

    assert found == [HostJob("a", (due(1, "a"), due(3, "a"))), HostJob("b", (due(2, "b"),))]


@pytest.mark.parametrize("host", ["news.example", "2001:db8::1", "127.0.0.1", "*", "a.*.>", "x y", "", "end.", "%"])
def test_a_host_is_one_token_of_a_subject(host: str) -> None:
    token = token_of(host)

    assert token
    assert not set(token) & set(".*> \t")
    assert host_of_token(token) == host
