"""Builds the guest module from the sources in this folder, PyPI and npm, to the same bytes.

    python build.py OUTPUT.wasm [--work DIRECTORY]

Steps: fetch the engine's C source (checked by hash), patch it, compile it with our shim by the
pinned zig, bundle the boot script and the modules with the pinned esbuild, inject the gas meter,
bake the initialised memory. The SHA-256 of the result is written beside it.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path

import bake
import bundle
import gas
import patches

HERE = Path(__file__).resolve().parent
SOURCE_NAME = "quickjs_ng-0.17.0.2"
SOURCE_SHA256 = "43d2e48272208721a7aaea8e3f02d4b9318f12ef20cc4f5421b59d9a470706ef"
# The features that every engine has had for years. No bulk memory: gas counts instructions, and
# its cost is not in proportion to them.
CPU = "mvp+mutable_globals+sign_ext+nontrapping_fptoint"
STACK_BYTES = 2 << 20
# QuickJS multiplies by 3163, which leaves the low bits of pointers, and of whole numbers written as
# doubles, as equal as they are: they met in few chains of a Map, at 100,000 gas for each of 2,000.
PATCHES = (
    ("h = (u.u32[0] ^ u.u32[1]) * 3163;", "h = mix_bits(u.u32[0] ^ u.u32[1]);"),
    (
        "h = (uintptr_t)JS_VALUE_GET_PTR(key) * 3163;",
        "h = mix_bits((uintptr_t)JS_VALUE_GET_PTR(key));",
    ),
)


def main() -> None:
    """Runs the build."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("output", type=Path)
    parser.add_argument("--work", type=Path, help="kept, so that a second build is faster")
    arguments = parser.parse_args()
    if arguments.work is None:
        with tempfile.TemporaryDirectory() as work:
            module = build(Path(work))
    else:
        arguments.work.mkdir(parents=True, exist_ok=True)
        module = build(arguments.work.resolve())
    arguments.output.write_bytes(module)
    digest = hashlib.sha256(module).hexdigest()
    arguments.output.with_name(f"{arguments.output.name}.sha256").write_text(
        f"{digest}  {arguments.output.name}\n",
    )
    print(f"{arguments.output}: {len(module)} bytes, sha256 {digest}")


def build(work: Path) -> bytes:
    """Returns the guest module, made in an empty or earlier used directory."""
    compiled = compile_guest(work, fetch_source(work))
    bundle.install(work)
    return bake.bake(gas.inject(compiled), bundle.boot_script(work), bundle.modules(work))


def fetch_source(work: Path) -> Path:
    """Downloads and unpacks the engine's source, and returns its directory."""
    archive = work / f"{SOURCE_NAME}.tar.gz"
    if not archive.exists():
        name, _, version = SOURCE_NAME.replace("_", "-").rpartition("-")
        run(
            *(sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--dest", work),
            *("--no-binary", name, f"{name}=={version}"),
        )
    if hashlib.sha256(archive.read_bytes()).hexdigest() != SOURCE_SHA256:
        archive.unlink()
        raise SystemExit(f"{archive.name} is not the source that this build is pinned to")
    with tarfile.open(archive) as tar:
        tar.extractall(work, filter="data")
    source = work / SOURCE_NAME / "upstream-quickjs"
    patches.apply(source / "quickjs.c", PATCHES)
    return source


def compile_guest(work: Path, source: Path) -> bytes:
    """Compiles engine and shim to a WebAssembly module without debug information."""
    output = work / "compiled.wasm"
    shim = work / "shim"
    shutil.rmtree(shim, ignore_errors=True)
    shutil.copytree(HERE / "shim", shim)
    parts = ("dtoa", "libregexp", "libunicode")
    files = [shim / "guest.c", *(source / f"{name}.c" for name in parts)]
    environment = {
        **os.environ,
        "ZIG_GLOBAL_CACHE_DIR": str(work / "zig-cache"),
        "ZIG_LOCAL_CACHE_DIR": str(work / "zig-cache"),
    }
    run(
        *(sys.executable, "-m", "ziglang", "cc", "--target=wasm32-wasi", f"-mcpu={CPU}"),
        *("-O3", "-g0", "-std=gnu23", "-w", "-D_GNU_SOURCE", "-DNDEBUG", "-fno-sanitize=all"),
        *(f"-ffile-prefix-map={work}=.", f"-I{source}", "-mexec-model=reactor"),
        *("-include", shim / "silent.h"),
        *("-Wl,--strip-all", "-Wl,--export=__stack_pointer", f"-Wl,-z,stack-size={STACK_BYTES}"),
        *(*files, "-lm", "-o", output),
        environment=environment,
    )
    return output.read_bytes()


def run(*command: object, environment: dict[str, str] | None = None) -> None:
    """Runs a step, and stops the build if it fails."""
    subprocess.run([str(part) for part in command], env=environment, check=True)


if __name__ == "__main__":
    main()
