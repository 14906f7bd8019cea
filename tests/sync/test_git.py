"""The archive folder in git: small commits that say what came, of nothing but kzfeed's files, and never a lost poll."""

import json
import os
import stat
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest

from kzfeed.sync.commit_message import message_of
from kzfeed.sync.folder import FileChange
from kzfeed.sync.git import Git, GitError
from tests.etiquette.program import within
from tests.export.archives import Archive, Done
from tests.sync.folders import articles, git, times, write_file

pytestmark = pytest.mark.slow_on_postgresql

GIT = "git = true\n"


@pytest.fixture
def committed(archive: Archive) -> Archive:
    """An archive whose folder is in git, with two articles of the source `s`."""
    return configured(archive, GIT)


def configured(archive: Archive, more: str) -> Archive:
    (archive.folder / "kzfeed.toml").write_text(f'sources = []\n[archive]\ndirectory = "articles"\n{more}')
    own = replace(archive, environment={**archive.environment, "HOME": str(archive.folder)})
    (own.folder / "in").mkdir(exist_ok=True)
    store(own, write_file(own.folder / "in", 1), write_file(own.folder / "in", 2))
    return own


def store(archive: Archive, *files: Path) -> Done:
    done = archive.kzfeed("backfill", "--log-format", "json", "--source", "s", *files)
    assert done.returncode == 0, done.stderr
    return done


def warnings(done: Done) -> list[str]:
    lines = [json.loads(line) for line in done.stderr.splitlines() if line.startswith("{")]
    return [f"{line['event']}: {line['error']}" for line in lines if line["level"] == "warning"]


def test_a_new_article_is_one_added_file_and_one_changed_list(committed: Archive) -> None:
    folder = committed.folder / "articles"
    assert git(folder, "log", "--format=%an|%s").splitlines() == ["kzfeed|s: 2 new"]
    before = times(folder)

    store(committed, write_file(committed.folder / "in", 3, title="Drei"))

    changed = git(folder, "show", "--name-status", "--format=%B").split("\n")
    assert changed[:3] == ["s: 1 new", "", "new: Drei"]
    assert [line[:2] for line in changed[3:] if line] == ["M\t", "A\t"]
    assert "M\tlists/s.md" in changed
    after = times(folder)
    assert {name for name in before if after[name] != before[name]} == {"lists/s.md"}
    assert git(folder, "status", "--porcelain") == ""
    store(committed, committed.folder / "in" / "3.txt")
    assert len(git(folder, "log", "--format=%s").splitlines()) == 2


def test_revised_moved_and_removed_articles_are_named_as_such(committed: Archive) -> None:
    folder = committed.folder / "articles"
    store(committed, write_file(committed.folder / "in", 1, "other words"))
    assert git(folder, "log", "-1", "--format=%s") == "s: 1 revised\n"
    store(committed, write_file(committed.folder / "in", 1, "and again others", stamp=1_600_000_000_000))
    (folder / "s/2099").mkdir()
    with committed.database.write() as connection:
        connection.exec_driver_sql("UPDATE sources SET name = 'renamed'")

    done = committed.kzfeed("sync", "articles")

    assert "2 files written, 0 moved, 2 removed, 2 lists changed" in done.stdout
    assert git(folder, "log", "-1", "--format=%s") == "renamed: 2 new; s: 2 removed\n"
    assert git(folder, "status", "--porcelain") == ""


def test_what_the_user_has_staged_and_written_stays_as_it_is(committed: Archive) -> None:
    folder = committed.folder / "articles"
    (folder / "README.md").write_text("staged")
    (folder / "notes.txt").write_text("untracked")
    git(folder, "add", "README.md")

    store(committed, write_file(committed.folder / "in", 3))

    assert git(folder, "status", "--porcelain") == "A  README.md\n?? notes.txt\n"
    assert "README.md" not in git(folder, "show", "--name-only")


def test_a_folder_within_a_repository_is_committed_there_and_nothing_else_is(archive: Archive) -> None:
    git(archive.folder, "init", "--quiet")

    own = configured(archive, GIT)

    names = git(own.folder, "ls-files").splitlines()
    assert len(names) == 3
    assert all(name.startswith("articles/") for name in names)
    assert not (own.folder / "articles/.git").exists()


def test_no_hook_runs_no_variable_of_git_counts_and_git_names_the_author(committed: Archive) -> None:
    folder = committed.folder / "articles"
    for name in ("pre-commit", "commit-msg", "post-commit", "prepare-commit-msg"):
        hook = folder / ".git/hooks" / name
        hook.write_text(f"#!/bin/sh\ntouch '{committed.folder}/{name}'\nexit 1\n")
        hook.chmod(hook.stat().st_mode | stat.S_IXUSR)
    git(folder, "config", "user.name", "Archivist")
    git(folder, "config", "user.email", "a@example.org")
    git(folder, "config", "commit.gpgSign", "true")
    git(folder, "config", "core.fsmonitor", f"touch '{committed.folder}/fsmonitor-commit'; false")
    odd = {"GIT_DIR": "/nowhere", "GIT_INDEX_FILE": "/nowhere", "GIT_AUTHOR_NAME": "Somebody"}
    own = replace(committed, environment={**committed.environment, **odd})

    assert warnings(store(own, write_file(own.folder / "in", 3, title="$(touch x) --amend"))) == []

    assert git(folder, "log", "-1", "--format=%an <%ae>|%b") == "Archivist <a@example.org>|new: $(touch x) --amend\n\n"
    assert not list(own.folder.glob("*-commit*"))


def test_git_that_fails_costs_a_warning_and_is_tried_again(committed: Archive) -> None:
    folder = committed.folder / "articles"
    (folder / ".git/index.lock").touch()

    done = store(committed, write_file(committed.folder / "in", 3), write_file(committed.folder / "in", 4))

    assert len(articles(folder)) == 4
    (said,) = warnings(done)
    assert said.startswith("archive folder not committed, trying again: git update-index ended with 128: ")
    assert "index.lock" in said
    (folder / ".git/index.lock").unlink()
    store(committed, committed.folder / "in" / "1.txt")
    assert git(folder, "log", "-1", "--format=%s") == "s: 2 new\n"
    assert git(folder, "status", "--porcelain") == ""


def test_git_that_is_missing_is_named(archive: Archive) -> None:
    (archive.folder / "kzfeed.toml").write_text(f'sources = []\n[archive]\ndirectory = "articles"\n{GIT}')
    own = replace(archive, environment={**archive.environment, "PATH": str(archive.folder)})

    (said,) = warnings(store(own, write_file(own.folder / "in", 1)))

    assert said.endswith("there is no program git on the PATH: install git, or set archive.git = false")


def test_a_folder_that_was_there_before_git_is_committed_whole(archive: Archive) -> None:
    own = configured(archive, "")
    assert not (own.folder / "articles/.git").exists()

    configured(archive, GIT)

    folder = own.folder / "articles"
    assert len(git(folder, "ls-files").splitlines()) == 3
    assert git(folder, "status", "--porcelain") == ""
    assert git(folder, "log", "--format=%s") == "s: 2 new\n"


@pytest.mark.slow
def test_nothing_is_pushed_unless_the_configuration_says_so(archive: Archive) -> None:
    (archive.folder / "remote.git").mkdir()
    git(archive.folder / "remote.git", "init", "--quiet", "--bare")
    own = configured(archive, GIT)
    folder = own.folder / "articles"
    git(folder, "remote", "add", "origin", str(own.folder / "remote.git"))
    branch = git(folder, "branch", "--show-current").strip()
    git(folder, "config", f"branch.{branch}.remote", "origin")
    git(folder, "config", f"branch.{branch}.merge", f"refs/heads/{branch}")
    store(own, write_file(own.folder / "in", 3))
    assert git(own.folder / "remote.git", "branch") == ""

    pushing = configured(archive, GIT + "git_push = true\n")
    store(pushing, write_file(own.folder / "in", 4))

    assert git(own.folder / "remote.git", "log", "-1", "--format=%s", branch) == "s: 1 new\n"


def test_git_that_takes_too_long_is_told_to_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program = tmp_path / "git"
    program.write_text(f"#!/bin/sh\ntrap 'touch {tmp_path}/told; exit 1' TERM\nwhile :; do sleep 0.05; done\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)

    with pytest.raises(GitError, match=r"^git init took longer than 2 s$"):
        Git(tmp_path / "..", limit_s=2).make_repository()

    assert (tmp_path / "told").exists()


def test_git_can_be_told_to_end_and_the_next_commit_does_what_it_had_not_done(committed: Archive) -> None:
    """A filter of git that never ends stands for a long commit."""
    folder = committed.folder / "articles"
    repository = Git(folder, limit_s=60)
    write_file(folder / "s", 9)
    (folder / ".git/info/attributes").write_text("*.txt filter=slow\n")
    git(folder, "config", "filter.slow.clean", f"touch '{committed.folder}/begun'; sleep 60")
    change = FileChange("new", "s", "Neun", "s/9.txt")
    with ThreadPoolExecutor(1) as thread:
        doing = thread.submit(repository.commit, [change])
        within(120, lambda: (committed.folder / "begun").exists())
        repository.stop()
        with pytest.raises(GitError, match="git update-index ended with -15"):
            doing.result(120)
    assert not (folder / ".git/index.lock").exists()
    (folder / ".git/info/attributes").unlink()

    assert repository.commit([change])

    assert git(folder, "log", "-1", "--format=%s") == "s: 1 new\n"


def test_a_message_names_few_sources_and_few_titles() -> None:
    changes = [FileChange("new", f"s{number % 9}", f"Titel\n{number}\x1b", f"s/{number}.txt") for number in range(90)]
    changes.append(FileChange("list", "s1", "", "lists/s1.md"))

    first, empty, *body = message_of(changes).split("\n")

    assert (first, empty) == ("s0: 10 new; s1: 10 new; s2: 10 new; 6 other sources: 60 new", "")
    assert body[0] == r"new: Titel 0\x1b"
    assert body[-1] == "and 40 more"
    assert len(body) == 51
    assert message_of([changes[-1]]) == "Update lists"
