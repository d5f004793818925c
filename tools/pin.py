"""Copies the versions of requirements.lock into pyproject.toml, as constraints for uv."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
BEGIN, END = "constraint-dependencies = [\n", "]\n"


def main() -> None:
    """Rewrite the list of constraints."""
    lock = (ROOT / "requirements.lock").read_text()
    pins = re.findall(r"^([A-Za-z0-9._-]+==[^ ;\\]+)(?: ; ([^\\\n]+?))? *\\?$", lock, re.MULTILINE)
    lines = [f"    {_literal(pin, marker)},\n" for pin, marker in sorted(pins)]
    path = ROOT / "pyproject.toml"
    text = path.read_text()
    start = text.index(BEGIN) + len(BEGIN)
    path.write_text(text[:start] + "".join(lines) + text[text.index(END, start) :])


def _literal(pin: str, marker: str) -> str:
    whole = f"{pin} ; {marker}" if marker else pin
    return '"' + whole.replace('"', "'") + '"'


if __name__ == "__main__":
    main()
