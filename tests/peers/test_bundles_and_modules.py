"""Scripts as Node developers have them: ES modules, Node's own modules, and bundles of npm packages."""

from __future__ import annotations

import re
import subprocess
from base64 import urlsafe_b64encode
from hashlib import sha256
from pathlib import Path

from command_line import NODE, PATIENCE_S, PEERS, call_with_npm_client, example, in_process, serving
from nacl.signing import SigningKey

ESBUILD = PEERS / "node_modules" / "esbuild" / "bin" / "esbuild"
# `inherits` asks for Node's util; `debug` asks for process.env and what is around it; `ms` for nothing.
PACKAGES = """
const inherits = require('inherits')
const EventEmitter = require('events')
const ms = require('ms')
const semver = require('semver')

function Clock () { EventEmitter.call(this) }
inherits(Clock, EventEmitter)
const clock = new Clock()
let last = null
clock.on('set', text => { last = ms(text) })

exports.set = text => { clock.emit('set', text); return last }
exports.newer = (one, other) => semver.gt(one, other)
"""


def base64url(data: bytes) -> str:
    return urlsafe_b64encode(data).rstrip(b"=").decode()


def test_signatures_are_checked_by_a_module_and_by_everybody_who_verifies(place: Path) -> None:
    key = SigningKey(bytes(32))
    public = base64url(bytes(key.verify_key))
    signature = base64url(key.sign(b"deed\nmine").signature)
    with serving(example("notary.mjs")) as server:
        assert server.lines[1] == f"Serving directory {place / 'notary'}"
        answers = call_with_npm_client(
            server.address,
            ("keep", ["deed", "yours", public, signature]),
            ("keep", ["deed", "mine", public, signature]),
            ("keep", ["deed", "mine", public, signature]),
            ("read", ["deed"]),
        )
        digest = sha256(b"mine").hexdigest()
        assert [answer.get("value") for answer in answers[:2]] == [None, digest]
        assert "The signature does not fit" in str(answers[0])
        assert "This name is taken" in str(answers[2])
        assert answers[3]["value"]["sha256"] == digest
        done = in_process("verify", server.address)
        assert done.exit_code == 0, done.output


def test_a_module_waits_for_its_top_at_every_start(place: Path) -> None:
    with serving(example("votes.mjs"), "--debug") as server:
        assert call_with_npm_client(server.address, ("vote", ["tea"]), user="bob") == ["undefined"]
        assert call_with_npm_client(server.address, ("vote", ["tea"]), user="eve") == ["undefined"]
    with serving(example("votes.mjs"), "--debug") as server:
        answers = call_with_npm_client(
            server.address, ("vote", ["coffee"]), ("count", []), user="bob"
        )
        assert answers[1] == {"value": {"tea": 1, "coffee": 1}}
        done = in_process("verify", server.address)
        assert done.exit_code == 0, done.output


def test_the_command_that_an_error_prints_makes_a_script(place: Path) -> None:
    (place / "node_modules").symlink_to(PEERS / "node_modules")
    (place / "script.js").write_text(PACKAGES)
    refused = in_process("exec", "script.js", "-p", "0")
    assert refused.exit_code != 0
    (command,) = re.findall(r"npx (esbuild .*)$", refused.stderr, re.MULTILINE)
    subprocess.run(
        ["/bin/sh", "-c", f"'{NODE}' '{ESBUILD}' {command.removeprefix('esbuild ')}"],
        cwd=place,
        check=True,
        capture_output=True,
        timeout=PATIENCE_S,
    )
    with serving("bundle.js") as server:
        answers = call_with_npm_client(
            server.address, ("set", ["2 days"]), ("newer", ["1.10.0", "1.9.0"])
        )
        assert answers == [{"value": 172800000}, {"value": True}]
        assert in_process("verify", server.address).exit_code == 0
