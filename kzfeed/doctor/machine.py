"""Examination of this machine: configuration, disks, permissions of files, and the limit of open files."""

import os
import stat
from collections.abc import Iterator
from pathlib import Path

from kzfeed.config.settings import Settings
from kzfeed.config.warnings import exposed_secrets, warnings
from kzfeed.doctor.diagnosis import Diagnosis
from kzfeed.fetch.file_limit import allowed_connections
from kzfeed.text import plural

_MiB = 2**20
LEAST_FREE = 100 * _MiB
"""With less free space, polls will soon fail to store what they read."""
SMALL_FREE = 1024 * _MiB
LARGE_WAL = 256 * _MiB
"""SQLite's write-ahead log is emptied beyond 16 MiB or so, unless a reader keeps it."""


def examine_machine(settings: Settings) -> Iterator[Diagnosis]:
    """Examine what needs neither the database nor the network. Nothing is changed."""
    scheme, _, path = settings.database.url.partition(":///")
    database_file = Path(path) if scheme == "sqlite" else None
    yield _configuration(settings)
    if database_file:
        size = database_file.stat().st_size if database_file.is_file() else 0
        yield _disk("disk of the database", database_file.absolute().parent, size)
    if settings.archive.directory:
        yield _disk("disk of the archive folder", settings.archive.directory.absolute(), 0)
    if database_file:
        yield _wal(database_file)
    yield _permissions(settings, database_file)
    yield _open_files(settings)


def _configuration(settings: Settings) -> Diagnosis:
    found = len(list(warnings(settings))) + len(settings.left_out)
    said = f"{settings.origin}, {plural(len(settings.sources), 'source')}"
    if found:
        return Diagnosis(
            "configuration", "to look at", f"{said}, {plural(found, 'warning')}: run `kzfeed config check`"
        )
    return Diagnosis("configuration", "good", said)


def _disk(subject: str, folder: Path, size: int) -> Diagnosis:
    """The diagnosis of the disk of this folder, on which there should be room for a file of this size."""
    existing = next(each for each in (folder, *folder.parents) if each.exists())
    found = os.statvfs(existing)
    free = found.f_bavail * found.f_frsize
    said = f"{_megabytes(free)} free at {existing}"
    if free < LEAST_FREE:
        return Diagnosis(subject, "broken", f"{said}: make room, or polls cannot store what they read")
    if free < max(SMALL_FREE, size):
        return Diagnosis(subject, "to look at", f"{said}, too little for a backup and a year to come: make room")
    return Diagnosis(subject, "good", said)


def _wal(database_file: Path) -> Diagnosis:
    wal = Path(f"{database_file}-wal")
    size = wal.stat().st_size if wal.exists() else 0
    if size > LARGE_WAL:
        advice = "a program that reads for hours keeps it from being emptied: end it, or restart the daemon"
        return Diagnosis("write-ahead log", "to look at", f"{_megabytes(size)} in {wal}: {advice}")
    return Diagnosis("write-ahead log", "good", _megabytes(size))


def _permissions(settings: Settings, database_file: Path | None) -> Diagnosis:
    """Whether kzfeed may write its files, and whether nobody else may."""
    written = [each for each in (database_file, settings.archive.directory) if each and each.exists()]
    if database_file and database_file.absolute().parent.exists():
        written.append(database_file.absolute().parent)  # for the files beside the database
    for path in written:
        if not os.access(path, os.W_OK):
            advice = "run kzfeed as the owner, or give it to the user of the service by chown"
            return Diagnosis("permissions", "broken", f"{path} may not be written by this user: {advice}")
    configuration = [Path(settings.origin)] if Path(settings.origin).is_file() else []
    for path in (*configuration, *written):
        mode = path.stat().st_mode
        if mode & stat.S_IWOTH and not mode & stat.S_ISVTX:
            return Diagnosis("permissions", "to look at", f"{path} may be written by everybody: chmod o-w {path}")
    if secret := next(exposed_secrets(settings), None):
        return Diagnosis("permissions", "to look at", str(secret))
    return Diagnosis("permissions", "good", "kzfeed may write its files, and nobody else; secrets are not for all")


def _open_files(settings: Settings) -> Diagnosis:
    wanted = settings.http.max_connections
    allowed = allowed_connections(wanted)
    if allowed < wanted:
        said = f"the limit allows {allowed} of {plural(wanted, 'connection')}: raise it (ulimit -n, LimitNOFILE=)"
        return Diagnosis("open files", "to look at", said)
    return Diagnosis("open files", "good", f"enough for {plural(wanted, 'connection')}")


def _megabytes(number: int) -> str:
    return f"{number / _MiB / 1024:,.1f} GiB" if number >= 1024 * _MiB else f"{number / _MiB:,.1f} MiB"
