from collections.abc import Callable, Iterator
from typing import Any

import pytest
from sandbox_machine import Machine

from nodevms.sandbox import Engine, Limits


@pytest.fixture
def run(engine: Engine) -> Iterator[Callable[..., Machine]]:
    """Starts scripts; limits as keywords."""
    machines: list[Machine] = []

    def start(code: str, hook: Any = None, **limits: int) -> Machine:
        machines.append(Machine(engine, code, Limits(**limits), hook))
        return machines[-1]

    yield start
    for machine in machines:
        machine.sandbox.close()
