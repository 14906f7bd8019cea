"""`python -m kzfeed` is `kzfeed`."""

from kzfeed.cli.main import main

main()
