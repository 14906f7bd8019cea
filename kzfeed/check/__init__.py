"""What kzfeed would make of a feed: a report for `kzfeed sources check`."""
