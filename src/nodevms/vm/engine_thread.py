"""Run something on a thread whose stack is deep enough for the engine."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import TypeVar

from nodevms.sandbox import ENGINE_STACK_BYTES

T = TypeVar("T")


def start_engine_thread(
    target: Callable[[], None], name: str = "nodevms-engine"
) -> threading.Thread:
    """Start a thread that may enter the sandbox.

    The guest's own stack limit must be reached before the native stack ends, so the thread
    gets far more than the system's default.
    """
    previous = threading.stack_size(ENGINE_STACK_BYTES)
    try:
        thread = threading.Thread(target=target, name=name)
        thread.start()
    finally:
        threading.stack_size(previous)
    return thread


def on_engine_thread(work: Callable[[], T]) -> T:
    """Run ``work`` on a thread that may enter the sandbox, and wait for what it gives."""
    results: list[T] = []
    errors: list[BaseException] = []

    def run() -> None:
        try:
            results.append(work())
        except BaseException as error:
            errors.append(error)

    start_engine_thread(run).join()
    if errors:
        raise errors[0]
    return results[0]
