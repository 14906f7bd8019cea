"""`python -m kzfeed` is `kzfeed`."""

from kzfeed.cli import main

main()
