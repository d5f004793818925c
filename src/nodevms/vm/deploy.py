"""Deploy: begin a backend in a new directory, or go on with one in its old directory.

A directory appears whole or not at all: a new backend is made beside its place and moved there
once its first entry is on disk.
"""

from __future__ import annotations

import os
import secrets
import shutil
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from nodevms.errors import StorageError, UsageError
from nodevms.feed import KeyPair
from nodevms.vm.backend import Backend, Identity, Surroundings
from nodevms.vm.directory import Description, Layout, read_description
from nodevms.vm.entries import Init, Restart, Start, Upgrade, time_of
from nodevms.vm.errors import DirectoryError
from nodevms.vm.limits import Limits, beyond
from nodevms.vm.script import Script, code_hash
from nodevms.vm.store import Progress, Store

CLOCK_BACK_MS_MAX: Final = 3_600_000


@dataclass(frozen=True, slots=True)
class Deployment:
    """What the operator asks for.

    Attributes:
        script: The script to run.
        directory: Where the backend lives.
        title: Its title; None for the script's default, or the one that it already has.
        debug: Whether callers may name themselves.
        upgrade: Whether another script may replace the one in the directory.
        limits: What a call may use.
        progress: Called with (entries done, entries in all) while an index is rebuilt.
    """

    script: Script
    directory: Path
    title: str | None = None
    debug: bool = False
    upgrade: bool = False
    limits: Limits = field(default_factory=Limits)
    progress: Progress | None = None


def deploy(deployment: Deployment, surroundings: Surroundings) -> Backend:
    """Begin or go on with a backend.

    Returns:
        The running backend; its start entry is on disk.

    Raises:
        ScriptError: The script does not load; nothing was recorded.
        DirectoryError: The directory is not this backend's; nothing was changed.
        StorageError: The directory is locked, damaged or not writable.
        UsageError: A limit is out of range.
    """
    problem = beyond(deployment.limits)
    if problem is not None:
        raise UsageError(f"a limit is out of range: {problem}", code="limits")
    layout = Layout(deployment.directory)
    description = read_description(layout)
    if description is None:
        return _create(deployment, surroundings)
    return _reopen(deployment, layout, description, surroundings)


def _create(deployment: Deployment, surroundings: Surroundings) -> Backend:
    target = deployment.directory
    in_place = target.exists()
    root = target if in_place else _draft_beside(target)
    title = deployment.title
    identity = Identity(
        title=f"{deployment.script.name} files" if title is None else title,
        debug=deployment.debug,
    )
    store = Store.create(root, KeyPair.generate(), KeyPair.generate())
    backend = Backend(
        store, identity, deployment.limits, surroundings, time_ms=surroundings.clock()
    )
    try:
        backend.start(deployment.script.code, Init)
        store.describe()
        if not in_place:
            store.move(target)
    except BaseException:
        backend.close()
        _remove(root, in_place)
        raise
    return backend


def _remove(root: Path, in_place: bool) -> None:
    if not in_place:
        shutil.rmtree(root, ignore_errors=True)
        return
    for child in root.iterdir():
        if child.is_dir():
            shutil.rmtree(child, ignore_errors=True)
        else:
            child.unlink(missing_ok=True)


def _draft_beside(target: Path) -> Path:
    parent = target.parent
    try:
        parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise StorageError(
            f"{parent} cannot be made: {error.strerror}", code="not-writable"
        ) from error
    if not os.access(parent, os.W_OK | os.X_OK):
        raise StorageError(
            f"{parent} is not writable",
            code="not-writable",
            hint="Choose a directory that you may write with --dir.",
        )
    return target.with_name(f".{target.name}.{secrets.token_hex(8)}.new")


def _reopen(
    deployment: Deployment, layout: Layout, description: Description, surroundings: Surroundings
) -> Backend:
    store = Store.open(layout, description, progress=deployment.progress)
    backend: Backend | None = None
    try:
        init, code = store.first_and_code()
        identity = Identity(init.title, init.debug)
        kind = _kind_of_start(deployment, identity, code)
        last_ms = time_of(store.entry(store.log.length - 1))
        _refuse_old_clock(surroundings.clock(), last_ms)
        backend = Backend(store, identity, deployment.limits, surroundings, time_ms=last_ms)
        backend.start(deployment.script.code, kind)
    except BaseException:
        if backend is not None:
            backend.close()
        else:
            store.close()
        raise
    return backend


def _kind_of_start(deployment: Deployment, identity: Identity, code: str) -> type[Start]:
    directory, title = deployment.directory, deployment.title
    if title is not None and title != identity.title:
        raise DirectoryError(
            f"{directory} holds the backend {identity.title!r}; its title cannot be changed",
            code="directory-title",
        )
    if deployment.debug != identity.debug:
        raise DirectoryError(
            f"{directory} holds a backend that was begun "
            + ("with --debug" if identity.debug else "without --debug")
            + "; that is fixed for the life of its log",
            code="directory-debug",
            hint="Start it " + ("with" if identity.debug else "without") + " --debug.",
        )
    if deployment.script.code == code:
        return Restart
    if not deployment.upgrade:
        raise DirectoryError(
            f"{directory} belongs to another script: it runs {code_hash(code)}, "
            f"{deployment.script.name} is {deployment.script.hash} (SHA-256)",
            code="directory-script",
            hint="Use --upgrade to replace the script (this is recorded), or another --dir.",
        )
    return Upgrade


def _refuse_old_clock(now_ms: int, last_ms: int) -> None:
    if now_ms < last_ms - CLOCK_BACK_MS_MAX:
        raise StorageError(
            "this computer's clock stands more than an hour before the last entry of the log",
            code="clock",
            hint="Set the clock. Entries may not go back in time.",
        )
