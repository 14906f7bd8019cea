"""The daemon's job that keeps the archive folder up to date, beside polls."""

import asyncio
from datetime import timedelta

from kzfeed.sync.archive_folder import ArchiveFolder

RETRY = timedelta(seconds=5)
"""The time from a failure to the next try."""


class FolderJob:
    """The daemon's job that writes the archive folder, in a thread."""

    def __init__(self, archive: ArchiveFolder) -> None:
        self._archive = archive
        self._stopping = False
        self._failing_until = 0.0

    async def run(self) -> None:
        """Bring the folder up to date, unless it has failed a moment ago."""
        clock = asyncio.get_running_loop().time
        if self._stopping or clock() < self._failing_until:
            return
        if not await asyncio.to_thread(self._archive.write, wait=False, go_on=lambda: not self._stopping):
            self._failing_until = clock() + RETRY.total_seconds()

    def stop(self) -> None:
        """Begin no further batch, and end git: if it were killed with this process, its lock would stay."""
        self._stopping = True
        self._archive.stop()
