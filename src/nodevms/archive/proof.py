"""Proofs that a path has a value in a state, or has none.

A proof is the way from the root to the leaf that a key's bits lead to: the bit index and the
sibling's hash of each inner node, top first, and what stands at the end. If that is the key's own
leaf, the path has that value; if it is another key's, or the tree is empty, the path has none: had
it one, its bits would have led there. The verifier needs the 32-byte root and nothing else.

Bytes: u16be count ‖ count x (u8 bit index ‖ 32-byte sibling) ‖ u8 end ‖ rest, where the rest is
nothing for end 0 (empty tree, count 0), the 49 value bytes for end 1 (present), and the other key
and SHA-256 of its value, 64 bytes, for end 2 (absent). At a million files: about 0.8 KB.
"""

from __future__ import annotations

import base64
import binascii
from dataclasses import dataclass
from hashlib import sha256
from itertools import pairwise

from nodevms.archive.errors import ProofError
from nodevms.archive.record import ZERO_HASH, Value, path_key
from nodevms.archive.tree import EMPTY_ROOT, bit_of, inner_hash, make_leaf

_STEP_BYTES = 33
_STEPS_MAX = 256
PROOF_BYTES_MAX = 2 + _STEPS_MAX * _STEP_BYTES + 1 + 64


@dataclass(frozen=True, slots=True)
class StateProof:
    """A proof for one path against one state root.

    Attributes:
        steps: (bit index, hash of the sibling) of each inner node, top first.
        value: What the path has; None when the proof is one of absence.
        other: For absence, (key, SHA-256(value)) of the leaf found instead; None for an empty tree.
    """

    steps: tuple[tuple[int, bytes], ...]
    value: Value | None
    other: tuple[bytes, bytes] | None

    def encode(self) -> bytes:
        """Return the proof's bytes as this module's docstring lays them out."""
        parts = [len(self.steps).to_bytes(2, "big")]
        parts += [bytes((bit,)) + sibling for bit, sibling in self.steps]
        if self.value is not None:
            parts += [b"\x01", self.value.encode()]
        elif self.other is not None:
            parts += [b"\x02", *self.other]
        else:
            parts.append(b"\x00")
        return b"".join(parts)

    @staticmethod
    def decode(data: bytes) -> StateProof:
        """Read a proof from bytes of anyone's making.

        Raises:
            ProofError: The bytes are no proof.
        """
        if len(data) < 3 or len(data) > PROOF_BYTES_MAX:
            raise ProofError("a state proof has the wrong length")
        end_at = 2 + int.from_bytes(data[:2], "big") * _STEP_BYTES
        if end_at >= len(data):
            raise ProofError("a state proof is cut short")
        steps = tuple(
            (data[at], data[at + 1 : at + _STEP_BYTES]) for at in range(2, end_at, _STEP_BYTES)
        )
        end, rest = data[end_at], data[end_at + 1 :]
        if end == 0 and not rest:
            return _checked(StateProof(steps, None, None))
        if end == 1:
            return _checked(StateProof(steps, Value.decode(rest), None))
        if end == 2 and len(rest) == 64:
            return _checked(StateProof(steps, None, (rest[:32], rest[32:])))
        raise ProofError("a state proof has no valid end")

    def to_json(self) -> dict[str, object]:
        """Return the proof as JSON values: hashes in base64, numbers as they are."""
        value = self.value
        return {
            "steps": [[bit, _text(sibling)] for bit, sibling in self.steps],
            "value": None
            if value is None
            else {
                "kind": value.kind,
                "size": value.size,
                "sha256": _text(value.sha256),
                "mtime": value.mtime_ms,
            },
            "other": None if self.other is None else [_text(part) for part in self.other],
        }

    @staticmethod
    def from_json(data: object) -> StateProof:
        """Read a proof from JSON values of anyone's making.

        Raises:
            ProofError: They are no proof.
        """
        if not isinstance(data, dict) or data.keys() != {"steps", "value", "other"}:
            raise ProofError("a state proof has exactly steps, value and other")
        steps, value, other = data["steps"], data["value"], data["other"]
        if not isinstance(steps, list) or len(steps) > _STEPS_MAX:
            raise ProofError("a state proof has at most 256 steps")
        return _checked(
            StateProof(
                tuple(_json_step(step) for step in steps),
                None if value is None else _json_value(value),
                None if other is None else _json_other(other),
            )
        )


def verify_proof(root: bytes, path: str, proof: StateProof) -> Value | None:
    """Return what the path has in the state of this root; None is a proof that it has nothing.

    Args:
        root: The 32-byte state root, from a place that the caller trusts.
        path: Canonical path, not the root folder (which is in no tree).
        proof: From anyone.

    Raises:
        ProofError: The proof does not show either.
    """
    _checked(proof)
    key = path_key(path)
    if proof.value is not None:
        digest = make_leaf(key, sha256(proof.value.encode()).digest()).hash
    elif proof.other is not None:
        other, value_hash = proof.other
        if other == key:
            raise ProofError("a proof of absence ends at the path itself")
        if any(bit_of(other, bit) != bit_of(key, bit) for bit, _ in proof.steps):
            raise ProofError("a proof of absence ends beside the path's way")
        digest = make_leaf(other, value_hash).hash
    else:
        digest = EMPTY_ROOT
    for bit, sibling in reversed(proof.steps):
        pair = (sibling, digest) if bit_of(key, bit) else (digest, sibling)
        digest = inner_hash(bit, *pair)
    if digest != root:
        raise ProofError("a state proof does not lead to the root")
    return proof.value


def _checked(proof: StateProof) -> StateProof:
    if any(one >= other for one, other in pairwise(bit for bit, _ in proof.steps)):
        raise ProofError("bit indexes in a state proof must grow")
    if proof.value is not None and proof.other is not None:
        raise ProofError("a state proof shows presence or absence, not both")
    if proof.value is None and proof.other is None and proof.steps:
        raise ProofError("the empty tree has no steps")
    return proof


def _text(data: bytes) -> str:
    return base64.b64encode(data).decode()


def _hash(data: object) -> bytes:
    if not isinstance(data, str) or len(data) != 44:
        raise ProofError("a hash in a state proof is 32 bytes of base64")
    try:
        digest = base64.b64decode(data, validate=True)
    except (binascii.Error, ValueError):
        raise ProofError("a hash in a state proof is not base64") from None
    if len(digest) != 32 or _text(digest) != data:
        raise ProofError("a hash in a state proof is 32 bytes of base64")
    return digest


def _json_step(step: object) -> tuple[int, bytes]:
    if not isinstance(step, list) or len(step) != 2:
        raise ProofError("a step of a state proof is [bit index, hash]")
    bit = step[0]
    if type(bit) is not int or not 0 <= bit <= 255:
        raise ProofError("a bit index is from 0 to 255")
    return bit, _hash(step[1])


def _json_value(data: object) -> Value:
    if not isinstance(data, dict) or data.keys() != {"kind", "size", "sha256", "mtime"}:
        raise ProofError("a value in a state proof has exactly kind, size, sha256 and mtime")
    kind, size, mtime_ms = data["kind"], data["size"], data["mtime"]
    sha = _hash(data["sha256"])
    for number in (size, mtime_ms):
        if type(number) is not int or not 0 <= number < 2**53:
            raise ProofError("a number in a state proof is out of range")
    if kind == "file":
        return Value("file", size, sha, mtime_ms)
    if kind == "folder" and size == 0 and sha == ZERO_HASH:
        return Value("folder", 0, ZERO_HASH, mtime_ms)
    raise ProofError("a value in a state proof is a file, or a folder without content")


def _json_other(data: object) -> tuple[bytes, bytes]:
    if not isinstance(data, list) or len(data) != 2:
        raise ProofError("another leaf in a state proof is [key, hash]")
    return _hash(data[0]), _hash(data[1])
