"""The wheel and the sdist that a release publishes: built here, unpacked, and used."""

from __future__ import annotations

import os
import subprocess
import sys
import tarfile
import tomllib
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("dist")
    command = [sys.executable, "-m", "hatchling", "build", "-d", str(place)]
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True, timeout=60)
    return place


@pytest.fixture(scope="module")
def installed(built: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What an installation of the wheel has, without what it depends on."""
    (wheel,) = built.glob("*.whl")
    site = tmp_path_factory.mktemp("site")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(site)
    return site


def test_the_wheel_has_what_a_backend_needs(installed: Path) -> None:
    ours, theirs = files_of(ROOT / "src" / "nodevms"), files_of(installed / "nodevms")
    assert ours == theirs
    assert {"py.typed", "sandbox/guest.wasm", "sandbox/guest.wasm.sha256"} <= ours.keys()
    for name in ("LICENSE", "THIRD_PARTY.txt"):
        (licence,) = installed.glob(f"*.dist-info/licenses/{name}")
        assert licence.read_bytes() == (ROOT / name).read_bytes()


def files_of(folder: Path) -> dict[str, bytes]:
    paths = [path for path in folder.rglob("*") if path.is_file()]
    names = {str(path.relative_to(folder)): path for path in paths}
    return {name: path.read_bytes() for name, path in names.items() if "__pycache__" not in name}


def test_the_sdist_builds_the_guest_and_runs_the_tests(built: Path) -> None:
    (sdist,) = built.glob("*.tar.gz")
    with tarfile.open(sdist) as archive:
        names = {name.partition("/")[2] for name in archive.getnames()}
    for name in (
        "guest/build.py",
        "docs/spec.md",
        "tests/conftest.py",
        "Makefile",
        "changelog.d/+engine.feature.md",
    ):
        assert name in names
    assert not any("node_modules" in name for name in names)


def test_the_installed_command_runs_a_backend(installed: Path, tmp_path: Path) -> None:
    script = tmp_path / "counter.js"
    script.write_text((ROOT / "examples" / "counter.js").read_text())
    server = subprocess.Popen(
        nodevms("exec", str(script), "-p", "0", "--dir", str(tmp_path / "counter")),
        env=environment(installed),
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert server.stdout is not None
        address = server.stdout.readline().split()[-1]
        assert output(installed, "repl", address, "-e", "client.increment()") == "1"
        assert "✔Call log verified." in output(installed, "verify", "--no-memory", address)
    finally:
        server.terminate()
        assert server.wait(30) == 0
        server.stdout.close()
    assert PROJECT["version"] in output(installed, "--version").split()


def nodevms(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "nodevms.cli", *arguments]


def environment(site: Path) -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": str(site), "NO_COLOR": "1"}


def output(site: Path, *arguments: str) -> str:
    done = subprocess.run(
        nodevms(*arguments), env=environment(site), check=True, capture_output=True, text=True
    )
    return done.stdout.strip()


def test_it_is_the_unpacked_package_that_runs(installed: Path) -> None:
    program = "import nodevms; print(nodevms.__file__)"
    done = subprocess.run(
        [sys.executable, "-c", program],
        env=environment(installed),
        check=True,
        capture_output=True,
        text=True,
    )
    assert Path(done.stdout.strip()) == installed / "nodevms" / "__init__.py"
