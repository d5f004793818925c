"""Standard output that nobody reads any more, as behind ``| head``."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager


def stop_writing() -> None:
    """Let nothing more be written, not even when the program ends."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, sys.stdout.fileno())


@contextmanager
def read_or_not() -> Iterator[None]:
    """Print something whether anybody reads it or not: an exit code does not depend on that."""
    try:
        yield
    except BrokenPipeError:
        stop_writing()
