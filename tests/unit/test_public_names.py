"""The public names: each is there, documented, and costs nothing until it is used."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import nodevms


@pytest.mark.parametrize("name", nodevms.__all__)
def test_each_name_is_there_and_documented(name: str) -> None:
    value = getattr(nodevms, name)
    assert value.__doc__
    assert value.__module__.startswith("nodevms.")


def test_the_names_for_type_checkers_are_those_that_are_found() -> None:
    tree = ast.parse(Path(nodevms.__file__).read_text())
    block = next(node for node in tree.body if isinstance(node, ast.If))
    typed = {alias.name for node in block.body for alias in node.names}
    assert typed == set(nodevms.__all__) == set(nodevms._MODULE_OF)
    assert set(nodevms.__all__) <= set(dir(nodevms))


def test_no_other_name_is_there() -> None:
    with pytest.raises(AttributeError, match="no attribute 'Nonsense'"):
        _ = nodevms.Nonsense


def test_importing_the_package_imports_nothing_else() -> None:
    program = (
        "import sys, nodevms; "
        "print([n for n in sys.modules if n.startswith(('nodevms.', 'wasmtime', 'aiohttp'))])"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, check=True)
    assert done.stdout.strip() == b"[]"
