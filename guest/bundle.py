"""Bundles the guest's JavaScript with its npm packages: boot script, and modules of `require`.

Packages come from the lock file and are changed in the few places that PATCHES names, where they
lack what only this engine can tell or Node has by now. A patch that does not fit stops the build.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import patches

HERE = Path(__file__).resolve().parent
MODULES = (
    *("assert", "buffer", "crypto", "events", "inspect", "path", "querystring", "string_decoder"),
    *("url", "util"),
)
# What a module asks of another by `require`, as it stands in its package.
OUTSIDE = {
    "assert": ("util/",),
    "string_decoder": ("buffer",),
    "url": ("querystring",),
    "util": ("internal/assert", "internal/inspect"),
}
ALIASES = {
    "assert": {
        "object.assign/polyfill": "object-assign",
        "object-is/polyfill": "object-is",
        "object-is": "object-is",
        "is-nan": "is-nan",
        "call-bind/callBound": "call-bound",
    },
}
_CASE = "      case 'base64':\n"
_URL_CASE = "      case 'base64url':\n"
_SLICE = "        return base64Slice(this, start, end)"
_TO_URL = ".replace(/\\+/g, '-').replace(/\\//g, '_').replace(/=+$/, '')"
PATCHES = {
    # `base64url` is an encoding of Node's Buffer since version 14.
    "buffer/index.js": [
        ("'base64':\n    case 'ucs2'", "'base64':\n    case 'base64url':\n    case 'ucs2'"),
        (f"{_CASE}        return base64To", f"{_CASE}{_URL_CASE}        return base64To"),
        (f"{_CASE}        // W", f"{_CASE}{_URL_CASE}        // W"),
        (f"{_CASE}{_SLICE}\n", f"{_CASE}{_SLICE}\n{_URL_CASE}{_SLICE}{_TO_URL}\n"),
        (
            "return base64.toByteArray(base64clean(str))",
            "return base64.fromStrict(str) || base64.toByteArray(base64clean(str))",
        ),
    ],
    # The package cannot look into promises and Proxies; the engine can. There are no
    # Atomics, FinalizationRegistry and WeakRef.
    "node-inspect-extracted/dist/inspect.js": [
        ('["Atomics","JSON",', '["JSON",'),
        (",e.SafeFinalizationRegistry=k(b,class extends b{})", ""),
        (",e.SafeWeakRef=k(O,class extends O{})", ""),
        (
            "getPromiseDetails:()=>[g,void 0]",
            "getPromiseDetails(t){const e=nodevms.promiseState(t);"
            "return[0===e[0]?g:2===e[0]?h:void 0,e[1]]}",
        ),
        (
            "getProxyDetails:y.getProxyDetails",
            "getProxyDetails:(t,e=!0)=>nodevms.proxyDetails(t,e)",
        ),
    ],
}


def install(work: Path) -> None:
    """Copies the scripts, fetches the packages and changes them.

    Raises:
        SystemExit: A script or a package is not as it must be.
    """
    for name in ("boot", "modules"):
        shutil.rmtree(work / name, ignore_errors=True)
        shutil.copytree(HERE / name, work / name)
    for script in (work / "boot").glob("*.js"):
        if "${" in script.read_text():
            raise SystemExit(f"{script.name} has a template literal: see primordials.js")
    for name in ("package.json", "package-lock.json"):
        shutil.copy(HERE / name, work / name)
    npm = shutil.which("npm", path=_path()) or "npm"
    _run(work, npm, "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--silent")
    for name, changes in PATCHES.items():
        patches.apply(work / "node_modules" / name, changes)


def boot_script(work: Path) -> bytes:
    """Returns an expression that is the boot function."""
    base64 = f"--alias:base64-js={work}/modules/native/base64.js"
    bundle = _bundle(work, "boot/main.js", base64)
    return b"(function(){var module={exports:{}};" + bundle + b"\nreturn module.exports.default})()"


def modules(work: Path) -> dict[str, bytes]:
    """Returns for each module an expression that is its function."""
    sources = {}
    for name in MODULES:
        options = [f"--external:{outside}" for outside in OUTSIDE.get(name, ())]
        for package, ours in ALIASES.get(name, {}).items():
            options.append(f"--alias:{package}={work}/modules/native/{ours}.js")
        if name == "url":
            options.append("--alias:qs=querystring")
        if name in {"assert", "path"}:
            options.append("--inject:modules/native/process.js")
        options += ["--platform=neutral", "--main-fields=main"]
        bundle = _bundle(work, f"modules/{name}.js", *options)
        sources[name] = b"(function(require,module,exports,nodevms){" + bundle + b"\n})"
    return sources


def _bundle(work: Path, entry: str, *options: str) -> bytes:
    output = work / "bundle.js"
    _run(
        work,
        *(work / "node_modules/.bin/esbuild", entry, "--bundle", "--format=cjs"),
        *("--target=es2022", "--minify-whitespace", "--legal-comments=none", "--log-level=warning"),
        *options,
        f"--outfile={output}",
    )
    return output.read_bytes()


def _path() -> str:
    return f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"


def _run(work: Path, *command: object) -> None:
    environment = {**os.environ, "PATH": _path()}
    subprocess.run([str(part) for part in command], cwd=work, env=environment, check=True)
