"""Parameters of tests that `make test` leaves out."""

from typing import Any

import pytest


def slow(*values: Any) -> Any:
    """A set of parameters that is marked slow: others of the same test take part in the quick loop."""
    return pytest.param(*values, marks=pytest.mark.slow)
