"""The guest, run as docs/spec-engine.md says, with wasmtime and nothing of nodevms.

It answers no file operation: scripts that use files need docs/spec-state.md as well.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import struct
from pathlib import Path

import nacl.bindings
import nacl.exceptions
import wasmtime

MASK = 2**64 - 1
MEMORY_MARGIN = 33_554_432


class Guest:
    """One guest, from a start on."""

    def __init__(self, module: Path, limits: dict[str, int]) -> None:
        config = wasmtime.Config()
        config.cranelift_nan_canonicalization = True
        config.wasm_threads = False
        config.wasm_relaxed_simd = False
        engine = wasmtime.Engine(config)
        self.store = wasmtime.Store(engine)
        self.store.set_limits(memory_size=limits["memoryBytes"] + MEMORY_MARGIN)
        i32 = wasmtime.ValType.i32()
        imports = {
            "call": wasmtime.Func(self.store, wasmtime.FuncType([i32] * 3, [i32]), self.on_call),
            "take": wasmtime.Func(self.store, wasmtime.FuncType([i32], []), self.on_take),
        }
        compiled = wasmtime.Module.from_file(engine, str(module))
        linked = [imports[wanted.name or ""] for wanted in compiled.imports]
        self.exports = wasmtime.Instance(self.store, compiled, linked).exports(self.store)
        self.limits = limits
        self.seed = b""
        self.asked_for_seed = False
        self.answer = b""
        self.gas.set_value(self.store, 2**60)
        self.output = self.function("describe_output")(self.store)

    @property
    def gas(self) -> wasmtime.Global:
        found = self.exports["gas"]
        assert isinstance(found, wasmtime.Global)
        return found

    @property
    def memory(self) -> wasmtime.Memory:
        found = self.exports["memory"]
        assert isinstance(found, wasmtime.Memory)
        return found

    def function(self, name: str) -> wasmtime.Func:
        found = self.exports[name]
        assert isinstance(found, wasmtime.Func)
        return found

    def read(self, pointer: int, length: int) -> bytes:
        return bytes(self.memory.read(self.store, pointer, pointer + length))

    def pairs(self) -> list[tuple[int, int]]:
        numbers = struct.unpack("<8I", self.read(self.output, 32))
        return list(zip(numbers[::2], numbers[1::2], strict=True))

    def on_call(self, operation: int, pointer: int, length: int) -> int:
        request = self.read(pointer & 0xFFFFFFFF, length)
        if operation == 2:
            self.charge(10_000)
            self.asked_for_seed, self.answer = True, self.seed
        elif operation == 3:
            self.charge(50_000 + 10 * len(request))
            self.answer = b""
        elif operation == 5:
            self.charge(50_000 + 25 * len(request))
            self.answer = self.crypto(request)
        else:
            raise NotImplementedError("files")
        return len(self.answer)

    def crypto(self, request: bytes) -> bytes:
        text, _, data = request.partition(b"\0")
        kind, name, *rest = json.loads(text)
        if kind == "hash":
            return b'{"value":null}\0' + hashlib.new(name, data).digest()
        if kind == "hmac":
            return b'{"value":null}\0' + hmac.new(data[: rest[0]], data[rest[0] :], name).digest()
        assert (kind, name) == ("verify", "ed25519")
        self.charge(1_000_000)
        try:
            nacl.bindings.crypto_sign_open(data[32:], data[:32])
        except nacl.exceptions.BadSignatureError:
            return b'{"value":false}'
        return b'{"value":true}'

    def on_take(self, pointer: int) -> None:
        self.memory.write(self.store, self.answer, pointer & 0xFFFFFFFF)

    def charge(self, gas: int) -> None:
        left = self.gas.value(self.store) - gas
        self.gas.set_value(self.store, max(left, -1))
        if left < 0:
            raise wasmtime.Trap("gas")

    def enter(self, function: str, request: bytes, seed: str | None) -> tuple[int, bytes, int]:
        """Run an entry that does not trap: how it ended, its text, its gas."""
        self.seed, self.asked_for_seed = (seed or "").encode(), False
        place, room = self.pairs()[3]
        if len(request) > room:
            self.gas.set_value(self.store, 2**60)
            place = self.function("reserve")(self.store, len(request)) & 0xFFFFFFFF
        self.memory.write(self.store, request, place)
        self.gas.set_value(self.store, self.limits["gas"])
        how = self.function(function)(self.store, len(request))
        text = self.read(*self.pairs()[0])
        return how, text, self.limits["gas"] - self.gas.value(self.store)

    def heap_hash(self) -> str:
        """Return the hash of the state between two entries."""
        pointer = self.exports["__stack_pointer"]
        assert isinstance(pointer, wasmtime.Global)
        memory = self.read(0, self.memory.data_len(self.store))
        return hashlib.sha256(struct.pack("<I", pointer.value(self.store)) + memory).hexdigest()

    def start(
        self, code: str, time: int, hook: int, seed: str | None = None
    ) -> tuple[int, bytes, int]:
        limits = [self.limits[n] for n in ("memoryBytes", "stackBytes", "consoleBytes", "timers")]
        head = struct.pack("<qIIIII", time, hook, *limits)
        return self.enter("start", head + code.encode(), seed)

    def call(
        self, user: str | None, method: str, args: str, time: int, seed: str | None = None
    ) -> tuple[int, bytes, int]:
        who = (user or "").encode()
        name = method.encode()
        head = struct.pack("<qiI", time, -1 if user is None else len(who), len(name))
        return self.enter("call", head + who + name + args.encode(), seed)


def rotate(number: int, by: int) -> int:
    return (number << by | number >> (64 - by)) & MASK


def random_numbers(seed: str, count: int) -> list[float]:
    """Return the first numbers of `Math.random` under a seed."""
    state = []
    s = int(seed, 16)
    for _ in range(4):
        s = (s + 0x9E3779B97F4A7C15) & MASK
        z = (s ^ s >> 30) * 0xBF58476D1CE4E5B9 & MASK
        z = (z ^ z >> 27) * 0x94D049BB133111EB & MASK
        state.append(z ^ z >> 31)
    s0, s1, s2, s3 = state
    numbers = []
    for _ in range(count):
        r = rotate(s1 * 5 & MASK, 7) * 9 & MASK
        t = s1 << 17 & MASK
        s2 ^= s0
        s3 ^= s1
        s1 ^= s2
        s0 ^= s3
        s2 ^= t
        s3 = rotate(s3, 45)
        numbers.append((r >> 11) * 2.0**-53)
    return numbers
