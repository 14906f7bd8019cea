"""The daemon's process that indexes many articles, started by the fork server in the daemon's place."""

import os
import sys

from kzfeed.jobs import search_index


def main() -> None:
    sys.argv[1:] = [str(os.getppid())]
    search_index.main()
