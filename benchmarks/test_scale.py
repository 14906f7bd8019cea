"""The benchmark of scale runs, with very few rows, so that it cannot rot."""

import pytest

from benchmarks import scale, scale_sources
from benchmarks.scale_rows import Shape
from benchmarks.scale_work import Task, contact, files, not_modified, one_new, small
from kzfeed.store import queries as reading
from kzfeed.store.windows import last_windows
from tests.conftest import ENGINES

FEW = Shape(1000, busy=7, rare=10, fresh=40)


@pytest.mark.parametrize("engine", ENGINES)
def test_every_task_runs_in_archives_of_two_sizes(engine: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scale, "WARM_UP", 1)
    tasks = [
        Task("one new", one_new, units=2, samples=2),
        Task("304", not_modified, units=2, samples=2),
        Task("files", files, units=500, samples=2),
        Task("contact", contact, units=2, samples=2),
    ]
    lines = list(scale.articles(engine, FEW, Shape(2000, busy=7, rare=10, fresh=40), tasks))
    assert [line.split(" | ")[:3] for line in lines] == [[f"| {engine}", task.title, "2"] for task in tasks]


@pytest.mark.parametrize("engine", ENGINES)
def test_documents_show_what_the_rows_hold(engine: str) -> None:
    with scale.archive_of(engine, FEW) as archive:
        visited = [archive.sources[number] for number in FEW.windows]
        windows = last_windows(archive.database, visited)
        assert [{shown.url_hash for shown in window} for window in windows] == [
            {small(FEW, number).url_hash for number in numbers} for numbers in FEW.windows.values()
        ]
        for source, numbers in zip(visited, FEW.windows.values(), strict=True):
            article = small(FEW, numbers[0])
            stored = reading.find(archive.database, article.url_hash)
            assert stored.source == source.name
            names = ("url", "title", "content", "text", "published_at", "language")
            assert [getattr(stored, name) for name in names] == [getattr(article, name) for name in names]


@pytest.mark.parametrize("engine", ENGINES)
def test_a_tick_is_measured_with_none_and_some_due(engine: str) -> None:
    with scale_sources.database_of(engine) as database:
        lines = list(scale_sources.tick_rows(engine, database, 120))
    assert [line.split(" | ")[2] for line in lines] == ["0", "100", "120"]
