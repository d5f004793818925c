"""A backend as people name it to ``verify`` and ``info``: its directory or its address."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import click
from click.shell_completion import CompletionItem

from nodevms.cli.dat_urls import is_bare_key
from nodevms.errors import UsageError

_PARTS: Final = ("backend.json", "call-log.key", "call-log.data", "files")


class Target(click.ParamType[str]):
    """A backend's address or its directory; the shell completes directories."""

    name = "target"

    def shell_complete(
        self, _ctx: click.Context, _param: click.Parameter, incomplete: str
    ) -> list[CompletionItem]:
        """Let the shell complete a directory's name."""
        return [CompletionItem(incomplete, type="dir")]


def directory_of(target: str) -> Path | None:
    """Return the directory that a target names; None for an address.

    Raises:
        UsageError: It looks like a directory and is none.
    """
    path = Path(os.path.expanduser(target))
    if _is_directory(path):
        return path
    if is_bare_key(target):
        raise UsageError(
            f"{target!r} is neither an address nor a directory",
            hint=f"Type dat://{target} for the backend with this call log in the Dat network.",
        )
    if "://" not in target and (target.startswith(("/", ".", "~")) or os.path.lexists(path)):
        raise UsageError(
            f"{target} is not a directory",
            hint="Name the directory that exec printed, or an address such as localhost:5555.",
        )
    return None


@contextmanager
def taken_for_an_address(target: str) -> Iterator[None]:
    """Say of a host that cannot be reached that no directory has its name either."""
    from nodevms.rpc import ConnectionFailedError

    try:
        yield
    except ConnectionFailedError as error:
        if error.hint is None and ":" not in target:
            error.hint = f"There is no directory {target} here either."
        raise


def never_held_a_backend(directory: Path) -> bool:
    """Tell whether a directory has nothing of a backend, not even a damaged one."""
    return not any((directory / name).exists() for name in _PARTS)


def has_secret_key(directory: Path) -> bool:
    """Tell a backend's own directory from a copy."""
    return (directory / "call-log.secret_key").exists()


def _is_directory(path: Path) -> bool:
    try:
        return path.is_dir()
    except OSError:  # the name is longer than any, or it lies where nobody may look
        return False
