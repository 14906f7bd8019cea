"""Builder of the archive folder that the configuration names."""

from kzfeed.config.settings import Settings
from kzfeed.store.engine import Database
from kzfeed.sync.archive_folder import ArchiveFolder


def archive_folder(settings: Settings, database: Database) -> ArchiveFolder | None:
    """The archive folder of the configuration, if it names one."""
    archive = settings.archive
    if archive.directory is None:
        return None
    return ArchiveFolder(database, archive.directory, commits=archive.git, pushes=archive.git_push)
