"""The cache of machine code: whatever is wrong with it, nothing of it is run."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable
from pathlib import Path

import pytest
import wasmtime

from nodevms.sandbox import machine_code
from nodevms.sandbox.machine_code import load_module

CODE = wasmtime.wat2wasm('(module (func (export "f") (result i32) i32.const 7))')
OTHER = wasmtime.wat2wasm('(module (func (export "f") (result i32) i32.const 666))')


def digest(code: bytes) -> str:
    return hashlib.sha256(code).hexdigest()


def value(module: wasmtime.Module, engine: wasmtime.Engine) -> int:
    store = wasmtime.Store(engine)
    function = wasmtime.Instance(store, module, []).exports(store)["f"]
    assert isinstance(function, wasmtime.Func)
    return int(function(store))


@pytest.fixture
def machine() -> wasmtime.Engine:
    return wasmtime.Engine()


@pytest.fixture
def cached(machine: wasmtime.Engine, tmp_path: Path) -> Path:
    """A file in the cache whose module answers 666 where 7 is right, with a hash that fits."""
    folder = tmp_path / "engine"
    load_module(machine, CODE, digest(CODE), folder)
    (file,) = folder.iterdir()
    compiled = bytes(wasmtime.Module(machine, OTHER).serialize())
    file.write_bytes(hashlib.sha256(compiled).digest() + compiled)
    return file


def load(machine: wasmtime.Engine, cached: Path) -> int:
    return value(load_module(machine, CODE, digest(CODE), cached.parent), machine)


def test_what_is_cached_is_used(machine: wasmtime.Engine, cached: Path) -> None:
    assert load(machine, cached) == 666  # or the tests below would show nothing


def test_the_folder_and_the_file_are_private(machine: wasmtime.Engine, tmp_path: Path) -> None:
    folder = tmp_path / "a" / "b"
    load_module(machine, CODE, digest(CODE), folder)
    (file,) = folder.iterdir()
    assert folder.stat().st_mode & 0o777 == 0o700
    assert file.stat().st_mode & 0o777 == 0o600


def others_may_enter(file: Path) -> None:
    file.parent.chmod(0o750)


def linked_folder(file: Path) -> None:
    real = file.parent.with_name("real")
    file.parent.rename(real)
    file.parent.symlink_to(real)


def linked_file(file: Path) -> None:
    real = file.parent.parent / "real"
    file.rename(real)
    file.symlink_to(real)


def torn(file: Path) -> None:
    file.write_bytes(file.read_bytes()[:-1])


def empty(file: Path) -> None:
    file.write_bytes(b"")


def changed(file: Path) -> None:
    data = bytearray(file.read_bytes())
    data[1000] ^= 1
    file.write_bytes(data)


def of_another_kind(file: Path) -> None:
    data = b"\x7fELF" + bytes(1000)
    file.write_bytes(hashlib.sha256(data).digest() + data)


def a_pipe(file: Path) -> None:
    file.unlink()
    os.mkfifo(file)


def a_folder(file: Path) -> None:
    file.unlink()
    file.mkdir()


@pytest.mark.parametrize(
    "spoil",
    [
        *(others_may_enter, linked_folder, linked_file, torn, empty, changed, of_another_kind),
        *(a_pipe, a_folder),
    ],
)
def test_what_is_not_to_be_trusted_is_not_used(
    machine: wasmtime.Engine, cached: Path, spoil: Callable[[Path], None]
) -> None:
    spoil(cached)
    assert load(machine, cached) == 7
    assert load(machine, cached) == 7


@pytest.mark.parametrize("spoil", [torn, empty, changed, of_another_kind, linked_file, a_pipe])
def test_a_bad_file_is_replaced(
    machine: wasmtime.Engine, cached: Path, spoil: Callable[[Path], None]
) -> None:
    spoil(cached)
    load(machine, cached)
    assert cached.is_file()
    assert not cached.is_symlink()
    kept, compiled = cached.read_bytes()[:32], cached.read_bytes()[32:]
    assert hashlib.sha256(compiled).digest() == kept
    assert [path.name for path in cached.parent.iterdir()] == [cached.name]


def test_the_file_of_another_user_is_not_used(
    machine: wasmtime.Engine, cached: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    uid = os.getuid()
    monkeypatch.setattr(machine_code.os, "getuid", lambda: uid + 1)
    assert load(machine, cached) == 7


def test_another_module_wasmtime_or_processor_has_another_file(
    machine: wasmtime.Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "engine"
    load_module(machine, CODE, digest(CODE), folder)
    load_module(machine, OTHER, digest(OTHER), folder)
    monkeypatch.setattr(machine_code, "version", lambda _: "1.0")
    load_module(machine, CODE, digest(CODE), folder)
    monkeypatch.setattr(machine_code, "_processor", lambda: "other")
    load_module(machine, CODE, digest(CODE), folder)
    assert len(list(folder.iterdir())) == 4
    assert value(load_module(machine, OTHER, digest(OTHER), folder), machine) == 666


def test_without_a_place_for_it_the_guest_is_compiled(
    machine: wasmtime.Engine, tmp_path: Path
) -> None:
    in_the_way = tmp_path / "file"
    in_the_way.write_bytes(b"")
    for folder in (in_the_way / "engine", in_the_way, None):
        assert value(load_module(machine, CODE, digest(CODE), folder), machine) == 7


def test_a_full_disk_leaves_nothing_behind(
    machine: wasmtime.Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(machine_code.Path, "replace", full)
    folder = tmp_path / "engine"
    assert value(load_module(machine, CODE, digest(CODE), folder), machine) == 7
    assert list(folder.iterdir()) == []
