"""Workers with real processes, real signals and real limits: what breaks one costs its own document, nothing else."""

import asyncio
import contextlib
import os
import pickle
import signal
import subprocess
import sys
import textwrap
import time
from collections.abc import Awaitable, Callable, Coroutine, Iterable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, TypeVar

import pytest

from kzfeed.errors import DocumentError
from kzfeed.model.articles import Document, ParsedDocument
from kzfeed.sandbox import messages as frames
from kzfeed.sandbox import pool
from kzfeed.sandbox.document_reader import read_document
from kzfeed.sandbox.pool import COMMAND, Workers

MIB = 2**20
LONG_ENOUGH = timedelta(minutes=2)
NOW = datetime(2026, 11, 20, tzinfo=UTC)
Result = TypeVar("Result")

pytestmark = pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="looks at processes in /proc")

MISBEHAVING = """
    import ctypes, os, pickle, signal, sys, time
    from pathlib import Path
    from kzfeed.model.articles import Document
    from kzfeed.sandbox import worker

    def reader(given):
        words = given.body.split()
        if len(words) == 2 and words[0].isalpha():
            Path(os.fsdecode(words[1])).write_text(str(os.getpid()))
        match words[0]:
            case b"hang":
                time.sleep(3600)
            case b"spin":
                while True:
                    pass
            case b"backtrack":
                import re
                re.match("(a|a)*b", "a" * 100)
            case b"eat":
                return [bytes(2**20) for _ in range(10**6)]
            case b"segfault":
                ctypes.string_at(0)
            case b"abort":
                os.abort()
            case b"exit":
                os._exit(0)
            case b"raise":
                raise LookupError("\\0\\ud800 of ours")
            case b"recurse":
                return reader(given)
            case b"nothing":
                return None
            case b"function":
                return os.system
            case b"list":
                return ANSWER[0], ["no article"]
            case b"much":
                return ANSWER[0].__class__("x" * 2**26), ()
            case b"print":
                print("said", flush=True)
                os.system("echo said")
            case b"slow":
                time.sleep(0.2)
            case b"long":
                time.sleep(1)
        return ANSWER

    # Read once for all: a worker that imports no parsers starts in half the time.
    DOCUMENT, ANSWER = pickle.loads(DOCUMENT_AND_ANSWER)
    worker.main(reader, warm_up=DOCUMENT)
"""


@pytest.fixture(scope="module")
def misbehaving(tmp_path_factory: pytest.TempPathFactory) -> Sequence[str]:
    """The command of a worker that does what the body of a document says."""
    script = tmp_path_factory.mktemp("workers") / "misbehaving.py"
    given = document(b'{"version": "https://jsonfeed.org/version/1.1", "items": [{"id": "1"}]}')
    code = textwrap.dedent(MISBEHAVING).replace(
        "DOCUMENT_AND_ANSWER", repr(pickle.dumps((given, read_document(given))))
    )
    script.write_text(code)
    return sys.executable, str(script)


def document(body: bytes) -> Document:
    return Document(body, content_type=None, url="https://e.example/feed", timezone=None, now=NOW)


def rss(*items: str) -> bytes:
    return f'<rss version="2.0"><channel><title>t</title>{"".join(items)}</channel></rss>'.encode()


LONG = document(b"long")
GOOD = document(rss("<item><title>标题</title><link>https://e.example/1</link></item>"))


def run(
    use: Callable[[Workers], Coroutine[Any, Any, Result]],
    *,
    timeout: timedelta = LONG_ENOUGH,
    memory: int = 512 * MIB,
    processes: int = 1,
    command: Sequence[str] = COMMAND,
) -> Result:
    async def main() -> Result:
        async with Workers(timeout=timeout, memory=memory, processes=processes, command=command) as workers:
            return await use(workers)

    result = asyncio.run(main())
    assert children() == {}
    return result


def children(parent: int | None = None) -> dict[int, str]:
    """The children of a process, zombies too, with their states."""
    found = {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            state, its_parent = stat.read_text().rpartition(")")[2].split()[:2]
            if int(its_parent) == (parent or os.getpid()) and stat.parent.name not in BEFORE:
                found[int(stat.parent.name)] = state
    return found


BEFORE: set[str] = set()


@pytest.fixture(autouse=True)
def _children_of_other_tests() -> Iterator[None]:
    BEFORE.update(map(str, children()))
    yield
    BEFORE.clear()


@pytest.fixture
def one_attempt(monkeypatch: pytest.MonkeyPatch) -> None:
    """For tests that count processes: no document loses its worker because the machine is busy."""
    monkeypatch.setattr(pool, "QUICK_READING", LONG_ENOUGH)


def is_running(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def cpu_seconds(pid: int) -> float:
    user, system = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[11:13]
    return (int(user) + int(system)) / os.sysconf("SC_CLK_TCK")


def told_by_proc(pid: int, file: str, key: str) -> int:
    return int(Path(f"/proc/{pid}/{file}").read_text().partition(key)[2].split()[0])


def happens(condition: Callable[[], object]) -> bool:
    """Whether the condition becomes true within a minute."""
    until = time.monotonic() + 60
    while not condition() and time.monotonic() < until:
        time.sleep(0.01)
    return bool(condition())


async def soon(condition: Callable[[], object]) -> None:
    assert await asyncio.to_thread(happens, condition)


async def failure_of(reading: Awaitable[ParsedDocument]) -> DocumentError:
    with pytest.raises(DocumentError) as caught:
        await reading
    return caught.value


# --- reading ---------------------------------------------------------------------------------------------------------


def test_what_a_worker_reads_is_what_anybody_reads() -> None:
    async def use(workers: Workers) -> tuple[ParsedDocument, DocumentError]:
        return await workers.read(GOOD), await failure_of(workers.read(document(b"<html><body>hello</body></html>")))

    parsed, error = run(use)

    assert parsed == read_document(GOOD)
    assert (error.kind, str(error)) == ("not-a-feed", "the document is HTML")


@pytest.mark.usefixtures("one_attempt")
def test_a_worker_starts_when_it_is_needed_takes_little_and_stays() -> None:
    async def use(workers: Workers) -> tuple[list[set[int]], float, int]:
        pids = [set(children())]
        await workers.read(GOOD)
        (pid,) = children()
        cpu, memory = cpu_seconds(pid), told_by_proc(pid, "status", "VmRSS:")
        for _ in range(3):
            pids.append(set(children()))
            await workers.read(GOOD)
        return pids, cpu, memory

    pids, cpu, kibibytes = run(use, processes=2)

    assert pids[0] == set()
    assert len(pids[1]) == 1
    assert pids[1] == pids[2] == pids[3]
    # CPU, not time: a busy machine does not change it much. Normally it is a third of a second.
    assert cpu < 3
    assert kibibytes < 64 * 1024


@pytest.mark.slow
@pytest.mark.usefixtures("one_attempt")
def test_no_more_documents_are_read_at_a_time_than_there_are_processes(misbehaving: Sequence[str]) -> None:
    async def use(workers: Workers) -> int:
        most = 0
        reading = asyncio.gather(*(workers.read(document(b"slow")) for _ in range(6)))
        while not reading.done():
            most = max(most, len(children()))
            await asyncio.sleep(0.02)
        return most if len(await reading) == 6 else 0

    assert run(use, processes=3, command=misbehaving) == 3


@pytest.mark.slow
@pytest.mark.usefixtures("one_attempt")
def test_five_thousand_articles_and_a_long_body_come_through_whole() -> None:
    items = (f"<item><title>{n}</title><link>https://e.example/{n}</link></item>" for n in range(4999))
    body = rss(*items, f"<item><title>long</title><description>{'正文' * (3 * MIB // 6)}</description></item>")

    _, articles = run(lambda workers: workers.read(document(body)))

    assert [article.title for article in articles] == [*map(str, range(4999)), "long"]
    assert len(articles[-1].content) == 3 * MIB // 6 * 2


# --- what goes wrong -------------------------------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.parametrize(
    ("body", "said"),
    [
        (b"hang", "longer than allowed: `timeout` under [parse] is 1 s"),
        (b"spin", "longer than allowed: `timeout` under [parse] is 1 s"),
        (b"backtrack", "longer than allowed: `timeout` under [parse] is 1 s"),
        (b"eat", "more memory than allowed: `memory` under [parse] is 128 MiB"),
        (b"much", "more memory than allowed: `memory` under [parse] is 128 MiB"),
        (b"segfault", "ended by signal 11, Segmentation fault"),
        (b"abort", "ended by signal 6, Aborted"),
        (b"exit", "ended with exit status 0"),
        (b"nothing", "invalid answer"),
        (b"function", "invalid answer"),
        (b"list", "invalid answer"),
    ],
)
def test_a_document_that_breaks_its_worker_costs_itself(misbehaving: Sequence[str], body: bytes, said: str) -> None:
    """It breaks a new worker, and one that has read another document."""

    async def use(workers: Workers) -> list[DocumentError]:
        errors = [await failure_of(workers.read(document(body)))]
        assert len((await workers.read(GOOD))[1]) == 1
        return [*errors, await failure_of(workers.read(document(body)))]

    seconds = 1 if "timeout" in said else 120
    errors = run(use, command=misbehaving, timeout=timedelta(seconds=seconds), memory=128 * MIB)

    for error in errors:
        assert error.kind == "parse"
        assert said in str(error)


@pytest.mark.parametrize(
    ("body", "said"), [(b"raise", r"LookupError('\x00\ud800 of ours')"), (b"recurse", "Recursion")]
)
def test_an_error_of_ours_is_said_to_be_one(misbehaving: Sequence[str], body: bytes, said: str) -> None:
    error = run(lambda workers: failure_of(workers.read(document(body))), command=misbehaving)

    assert error.kind == "internal"
    assert said in str(error)


@pytest.mark.slow
def test_documents_that_take_their_full_time_keep_no_other_waiting(misbehaving: Sequence[str]) -> None:
    async def use(workers: Workers) -> int:
        hanging = [asyncio.create_task(workers.read(document(b"hang"))) for _ in range(6)]
        await asyncio.sleep(0)
        for _ in range(20):
            await workers.read(GOOD)
        still = sum(not task.done() for task in hanging)
        for task in hanging:
            task.cancel()
        await asyncio.gather(*hanging, return_exceptions=True)
        return still

    assert run(use, command=misbehaving, timeout=timedelta(hours=1), processes=2) == 6


@pytest.mark.slow
def test_a_document_whose_turn_does_not_come_says_that_others_take_long(misbehaving: Sequence[str]) -> None:
    async def use(workers: Workers) -> list[DocumentError]:
        # With three, one waits for its turn too long even if the processes do not start at the same time.
        return await asyncio.gather(*(failure_of(workers.read(document(b"hang"))) for _ in range(3)))

    errors = run(use, command=misbehaving, timeout=timedelta(seconds=1), processes=3)

    assert {str(error).rpartition(": ")[0] for error in errors} == {
        "reading it takes longer than allowed",
        "reading it takes longer than 0.5 s, and so does reading too many others at present",
    }


@pytest.mark.slow
def test_a_document_that_takes_long_is_read_if_it_keeps_to_its_time(misbehaving: Sequence[str]) -> None:
    async def use(workers: Workers) -> int:
        return sum(len(articles) for _, articles in await asyncio.gather(*(workers.read(LONG) for _ in range(2))))

    assert run(use, command=misbehaving) == 2


@pytest.mark.usefixtures("one_attempt")
def test_workers_are_idle_while_nothing_is_read_or_waits_to_be(misbehaving: Sequence[str]) -> None:
    async def use(workers: Workers) -> list[bool]:
        known = [workers.are_idle]
        reading = [asyncio.create_task(workers.read(document(b"slow"))) for _ in range(3)]
        await asyncio.sleep(0)
        known.append(workers.are_idle)
        for task in reading:
            await task
            known.append(workers.are_idle)
        await asyncio.gather(workers.read(document(b"raise")), return_exceptions=True)
        return [*known, workers.are_idle]

    known = run(use, command=misbehaving, processes=1)
    assert known == [True, False, False, False, True, True]


def test_what_is_printed_while_reading_is_no_answer(misbehaving: Sequence[str]) -> None:
    assert len(run(lambda workers: workers.read(document(b"print")), command=misbehaving)[1]) == 1


@pytest.mark.parametrize(
    "answer",
    [
        b"",
        b"\0",
        b"HTTP/1.1 200 OK\r\n\r\n",
        frames.LENGTH.pack(2**60),
        frames.LENGTH.pack(2**60) + bytes(2 * MIB),
        frames.LENGTH.pack(100) + b"short",
        frames.LENGTH.pack(5) + b"wrong" + b"and more",
        frames.LENGTH.pack(0),
        frames.LENGTH.pack(40) + b"cos\nsystem\n(S'touch /dev/null'\ntR.".ljust(40),
    ],
)
def test_an_answer_that_is_none_costs_its_document(tmp_path: Path, answer: bytes) -> None:
    script = tmp_path / "rubbish.py"
    script.write_text(f"import os, time\nos.write(1, {frames.READY!r})\nos.read(0, 9)\nos.write(1, {answer!r})\n")

    error = run(lambda workers: failure_of(workers.read(GOOD)), command=(sys.executable, str(script)))

    assert error.kind == "parse"


@pytest.mark.parametrize("command", [("/nonexistent/python",), ("/bin/sh", "-c", "exit 3"), ("/bin/echo",)])
def test_where_no_worker_starts_the_document_is_not_to_blame(command: Sequence[str]) -> None:
    error = run(lambda workers: failure_of(workers.read(GOOD)), command=command)

    assert error.kind == "internal"


@pytest.mark.slow
def test_what_lies_in_the_working_directory_is_not_imported(tmp_path: Path) -> None:
    for name in ("pickle.py", "feedparser.py", "kzfeed.py"):
        (tmp_path / name).write_text("raise SystemExit(1)")
    script = tmp_path / "scripts" / "parent.py"
    script.parent.mkdir()
    script.write_text(
        "from tests.sandbox import test_pool as tests\n"
        "print(len(tests.run(lambda workers: workers.read(tests.GOOD))[1]))\n"
    )
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}

    done = subprocess.run(
        [sys.executable, str(script)], cwd=tmp_path, env=environment, capture_output=True, text=True, check=False
    )

    assert done.stdout == "1\n"


# --- memory ----------------------------------------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.usefixtures("one_attempt")
def test_a_document_that_needs_too_much_memory_fails_and_one_that_does_not_is_read() -> None:
    # Each of the objects takes 72 bytes where the text takes 3.
    objects = b"{}," * 2 * MIB
    body = b'{"version": "https://jsonfeed.org/version/1.1", "items": [{"id": "1"}], "x": [' + objects + b"0]}"

    async def use(workers: Workers) -> ParsedDocument:
        return await workers.read(document(body))

    with pytest.raises(DocumentError, match=r"(?i)memory"):
        run(use, memory=128 * MIB)
    assert len(run(use, memory=256 * MIB)[1]) == 1


@pytest.fixture(scope="module")
def broken() -> tuple[Document, ParsedDocument]:
    """A document that needs feedparser, and what is read from it."""
    items = "".join(
        f"<item><title>AT&T {n}</title><description>{'正文&amp;' * 2000}</description></item>" for n in range(30)
    )
    given = document(rss(items))
    return given, read_document(given)


@pytest.mark.slow
@pytest.mark.parametrize("memory", [1, 2, 4, 5, 6, 8, 10, 32])
def test_a_document_is_read_right_or_not_at_all_whatever_the_memory(
    broken: tuple[Document, ParsedDocument], memory: int
) -> None:
    """Neither expat nor feedparser may take memory that has run out for a fault of the document."""
    given, expected = broken
    found: ParsedDocument | str
    try:
        found = run(lambda workers: workers.read(given), memory=memory * MIB)
    except DocumentError as error:
        found = str(error)

    assert found in (expected, f"reading it takes more memory than allowed: `memory` under [parse] is {memory} MiB")


def test_the_limit_counts_what_reading_takes_not_what_a_worker_is(misbehaving: Sequence[str]) -> None:
    assert len(run(lambda workers: workers.read(GOOD), memory=16 * MIB)[1]) == 1


@pytest.mark.slow
@pytest.mark.usefixtures("one_attempt")
def test_a_worker_that_a_document_has_left_too_big_is_replaced(tmp_path: Path) -> None:
    script = tmp_path / "hoarder.py"
    script.write_text(
        "from kzfeed.sandbox import document_reader, worker\n"
        "hoard = []\n"
        "def reader(given):\n"
        f"    hoard.append(bytearray(12 * {MIB}))\n"
        "    return document_reader.read_document(given)\n"
        "worker.main(reader)\n"
    )

    async def use(workers: Workers) -> list[int]:
        pids = []
        for _ in range(5):
            await workers.read(GOOD)
            pids += [pid for pid, state in children().items() if state != "Z" and pid not in pids]
        return pids

    # A quarter of 128 MiB is full after three documents.
    assert len(run(use, memory=128 * MIB, command=(sys.executable, str(script)))) == 2


# --- signals, and the end of things ----------------------------------------------------------------------------------


@pytest.mark.slow
def test_a_worker_that_is_killed_while_idle_costs_nothing_and_leaves_no_zombie() -> None:
    async def use(workers: Workers) -> None:
        for known in (False, True):
            await workers.read(GOOD)
            (pid,) = children()
            os.kill(pid, signal.SIGKILL)
            if known:
                await soon(lambda: not children())
            assert len((await workers.read(GOOD))[1]) == 1
            assert pid not in children()

    run(use)


@pytest.mark.slow
def test_a_worker_that_is_killed_while_it_reads_costs_its_document(misbehaving: Sequence[str], tmp_path: Path) -> None:
    async def use(workers: Workers) -> DocumentError:
        note = tmp_path / "pid"
        reading = asyncio.create_task(failure_of(workers.read(document(b"hang %b" % os.fsencode(note)))))
        await soon(lambda: note.exists() and note.read_text())
        os.kill(int(note.read_text()), signal.SIGKILL)
        assert len((await workers.read(GOOD))[1]) == 1
        return await reading

    assert str(run(use, command=misbehaving)) == "the process that read it ended by signal 9, Killed"


def test_a_worker_that_is_stopped_runs_out_of_time() -> None:
    async def use(workers: Workers) -> DocumentError:
        await workers.read(GOOD)
        (pid,) = children()
        os.kill(pid, signal.SIGSTOP)
        error = await failure_of(workers.read(GOOD))
        assert len((await workers.read(GOOD))[1]) == 1
        return error

    assert "longer than" in str(run(use, timeout=timedelta(seconds=0.5)))


@pytest.mark.usefixtures("one_attempt")
def test_signals_that_mean_the_parent_do_not_end_a_worker(misbehaving: Sequence[str]) -> None:
    async def use(workers: Workers) -> None:
        await workers.read(GOOD)
        (pid,) = children()
        assert os.getsid(pid) == pid
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            reading = asyncio.create_task(workers.read(document(b"slow")))
            for _ in range(5):
                await asyncio.sleep(0.02)
                os.kill(pid, number)
            await reading
        await workers.read(GOOD)
        assert set(children()) == {pid}

    run(use, command=misbehaving)


@pytest.mark.slow
def test_a_reading_that_is_called_off_takes_its_worker_with_it(misbehaving: Sequence[str], tmp_path: Path) -> None:
    async def use(workers: Workers) -> None:
        note = tmp_path / "pid"
        reading = asyncio.create_task(workers.read(document(b"spin %b" % os.fsencode(note))))
        await soon(lambda: note.exists() and note.read_text())
        reading.cancel()
        with pytest.raises(asyncio.CancelledError):
            await reading
        assert not children()
        assert len((await workers.read(GOOD))[1]) == 1

    run(use, command=misbehaving)


@pytest.mark.slow
def test_a_reading_can_be_called_off_at_any_moment_and_leaves_nothing_behind() -> None:
    async def time_of_reading(workers: Workers) -> float:
        began = time.monotonic()
        await workers.read(GOOD)
        return time.monotonic() - began

    async def use(workers: Workers, delays: Iterable[float]) -> int:
        called_off = 0
        for delay in delays:
            reading = asyncio.create_task(workers.read(GOOD))
            await asyncio.sleep(delay)
            called_off += reading.cancel()
            await asyncio.gather(reading, return_exceptions=True)
        assert len((await workers.read(GOOD))[1]) == 1
        assert len(children()) == 1
        return called_off

    took = run(time_of_reading)
    assert run(lambda workers: use(workers, (took * share / 8 for share in range(8)))) >= 2


def test_workers_at_work_end_with_the_pool(misbehaving: Sequence[str], tmp_path: Path) -> None:
    async def use(workers: Workers) -> asyncio.Task[ParsedDocument]:
        note = tmp_path / "pid"
        reading = asyncio.create_task(workers.read(document(b"hang %b" % os.fsencode(note))))
        await soon(lambda: note.exists() and note.read_text())
        return reading

    assert run(use, command=misbehaving, processes=2).done()


PARENT = """
    import asyncio, os, signal, sys
    from datetime import UTC, datetime, timedelta
    from kzfeed.model.articles import Document
    from kzfeed.sandbox.pool import Workers

    def document(body):
        return Document(body, None, "https://e.example/feed", None, datetime.now(UTC))

    async def main(script, busy, idle):
        async with Workers(timeout=timedelta(hours=1), memory=2**29, command=(sys.executable, script)) as workers:
            reading = asyncio.create_task(workers.read(document(b"spin " + os.fsencode(busy))))
            await workers.read(document(b"note " + os.fsencode(idle)))
            print("ready", flush=True)
            over = asyncio.Event()
            asyncio.get_running_loop().add_reader(0, over.set)
            await over.wait()
            reading.cancel()

    # A shell starts processes in the background with this signal ignored.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    asyncio.run(main(*sys.argv[1:]))
"""


@pytest.mark.slow
@pytest.mark.parametrize("ending", ["normally", signal.SIGTERM, signal.SIGINT, signal.SIGKILL])
def test_no_worker_outlives_its_parent(
    misbehaving: Sequence[str], tmp_path: Path, ending: str | signal.Signals
) -> None:
    script = tmp_path / "parent.py"
    script.write_text(textwrap.dedent(PARENT))
    busy, idle = tmp_path / "busy", tmp_path / "idle"
    command = [sys.executable, str(script), misbehaving[1], str(busy), str(idle)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as parent:
        assert parent.stdin
        assert parent.stdout
        parent.stdout.readline()
        # The busy one is killed once, after QUICK_READING, and another one reads the document from the beginning.
        assert happens(lambda: busy.exists() and is_running(int(busy.read_text() or 0)))
        pids = [int(note.read_text()) for note in (busy, idle)]
        assert is_running(pids[1])
        if isinstance(ending, signal.Signals):
            parent.send_signal(ending)
        else:
            parent.stdin.close()
        parent.wait(60)

        assert happens(lambda: not any(map(is_running, pids)))


def test_a_worker_without_a_parent_that_ends_it_ends_itself(misbehaving: Sequence[str]) -> None:
    request = frames.encode(document(b"spin"))
    process = subprocess.Popen([*misbehaving, str(512 * MIB), "0.1"], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    with process:
        assert process.stdin
        process.stdin.write(request)
        process.stdin.flush()
        assert process.wait(60) == -signal.SIGALRM


@pytest.mark.slow
def test_a_worker_keeps_to_a_lower_limit_of_the_system() -> None:
    limited = ("/bin/sh", "-c", f'ulimit -v {256 * 1024}; exec "$@"', "sh", *COMMAND)

    async def use(workers: Workers) -> DocumentError:
        await workers.read(GOOD)
        return await failure_of(workers.read(document(b'{"x": [' + b"{}," * 4 * MIB + b"0]}")))

    assert run(use, command=limited).kind == "parse"


@pytest.mark.usefixtures("one_attempt")
def test_a_crash_leaves_no_core_file(misbehaving: Sequence[str], tmp_path: Path) -> None:
    note = tmp_path / "limits"

    async def use(workers: Workers) -> int:
        reading = asyncio.create_task(workers.read(document(b"slow %b" % os.fsencode(note))))
        await soon(lambda: note.exists() and note.read_text())
        size = told_by_proc(int(note.read_text()), "limits", "core file size")
        await reading
        return size

    assert run(use, command=misbehaving) == 0
