"""Long tests of robustness, each one command: `python -m tests.torture` repeats faults for some ten minutes."""
