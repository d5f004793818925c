"""Deploy: begin a backend in a new directory, or go on with one in its old directory.

Whatever cannot be done leaves the directory, and the log in it, as they were.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from nodevms.errors import StorageError, UsageError
from nodevms.feed import KeyPair
from nodevms.vm.backend import Backend, Identity
from nodevms.vm.directory import Description, Layout, read_description
from nodevms.vm.draft import Draft
from nodevms.vm.entries import Init, Restart, Start, Upgrade, time_of
from nodevms.vm.errors import DirectoryError
from nodevms.vm.indexing import Progress
from nodevms.vm.limits import Limits, beyond
from nodevms.vm.script import Script, code_hash
from nodevms.vm.store import Store
from nodevms.vm.surroundings import Surroundings

CLOCK_BACK_MS_MAX: Final = 3_600_000
TITLE_CHARACTERS_MAX: Final = 200


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
        UsageError: A limit is out of range, or the title cannot be shown.
    """
    problem = beyond(deployment.limits)
    if problem is not None:
        raise UsageError(f"a limit is out of range: {problem}", code="limits")
    _check_title(deployment.title)
    layout = Layout(deployment.directory)
    description = read_description(layout)
    if description is None:
        return _create(deployment, surroundings)
    return _reopen(deployment, layout, description, surroundings)


def _check_title(title: str | None) -> None:
    if title is not None and (len(title) > TITLE_CHARACTERS_MAX or not title.isprintable()):
        raise UsageError(
            f"a title is one line of at most {TITLE_CHARACTERS_MAX} characters", code="title"
        )


def _create(deployment: Deployment, surroundings: Surroundings) -> Backend:
    title = deployment.title
    if title is None:
        name = deployment.script.name.encode(errors="replace").decode()
        title = f"{name} files"
    identity = Identity(title=title, debug=deployment.debug)
    draft = Draft(deployment.directory)
    backend: Backend | None = None
    try:
        store = Store.create(draft.layout, draft.lock, KeyPair.generate(), KeyPair.generate())
        backend = Backend(
            store, identity, deployment.limits, surroundings, time_ms=surroundings.clock()
        )
        backend.start(deployment.script, Init)
        store.describe()
        store.layout = draft.finish()
    except BaseException:
        draft.remove()  # before the lock is free, and others may begin here
        if backend is None:
            draft.lock.release()
        else:
            backend.close()
        raise
    return backend


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
        backend.start(deployment.script, kind)
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
            hint=("Start it with --debug" if identity.debug else "Start it without --debug")
            + ", or begin another one with --dir.",
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
