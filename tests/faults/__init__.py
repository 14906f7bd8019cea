"""Faults: real processes, real signals, real engines. The quick form runs with all tests, the long form by itself:

python -m tests.faults --kills 200
"""
