"""Tests of faults with real processes, signals, engines and file systems. `tests/torture` repeats them for longer."""
