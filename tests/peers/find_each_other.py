"""Runs our multicast DNS beside the Dat programs', in a network of the caller's choice.

Arguments: 13 or 14, then a command that runs Node where it shall run. Prints one line of JSON with
who found whom. Four feeds: whoever has it announces it before or after the other side asks for it.
"""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Callable
from pathlib import Path

from nodevms.dat.discovery import MulticastDiscovery

HERE = Path(__file__).parent
KEYS = {
    name: bytes([number]) * 32
    for number, name in enumerate(("us", "them", "us later", "them later"), 1)
}
OUR_PORT, THEIR_PORT = 4001, 4002
PATIENCE = 20.0


async def until(condition: Callable[[], bool], changed: asyncio.Event) -> None:
    async with asyncio.timeout(PATIENCE):
        while not condition():
            changed.clear()
            await changed.wait()


async def main(generation: str, node: list[str]) -> None:
    changed = asyncio.Event()
    we_found: dict[bytes, set[tuple[str, int]]] = {}
    they_found: dict[bytes, set[tuple[str, int]]] = {}

    def found(where: dict[bytes, set[tuple[str, int]]], key: bytes, host: str, port: int) -> None:
        where.setdefault(key, set()).add((host, port))
        changed.set()

    peer = await asyncio.create_subprocess_exec(
        *node, str(HERE / "multicast_programs.js"), generation,
        stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE,
    )  # fmt: skip
    assert peer.stdin is not None
    assert peer.stdout is not None
    stdin, stdout = peer.stdin, peer.stdout

    def tell(order: str) -> None:
        stdin.write(order.encode() + b"\n")

    async def listen() -> None:
        async for line in stdout:
            heard = json.loads(line)
            found(they_found, bytes.fromhex(heard["key"]), heard["host"], heard["port"])

    listening = asyncio.create_task(listen())
    we = MulticastDiscovery(lambda *peer: found(we_found, *peer))
    await we.start()
    try:
        we.announce(KEYS["us"], OUR_PORT)
        tell(f"lookup {KEYS['us'].hex()}")
        tell(f"lookup {KEYS['us later'].hex()}")
        await until(lambda: KEYS["us"] in they_found, changed)
        we.announce(KEYS["us later"], OUR_PORT)
        await until(lambda: KEYS["us later"] in they_found, changed)

        tell(f"announce {KEYS['them'].hex()} {THEIR_PORT}")
        we.lookup(KEYS["them"])
        we.lookup(KEYS["them later"])
        await until(lambda: KEYS["them"] in we_found, changed)
        tell(f"announce {KEYS['them later'].hex()} {THEIR_PORT}")
        await until(lambda: KEYS["them later"] in we_found, changed)
    finally:
        await we.stop()
        stdin.close()
        await listening
        await peer.wait()
        # That `dat` 13 now and then finds itself is its own affair.
        print(
            json.dumps(
                {
                    "we_found": {name: sorted(we_found.get(key, ())) for name, key in KEYS.items()},
                    "they_found": {
                        name: sorted(they_found.get(KEYS[name], ())) for name in ("us", "us later")
                    },
                }
            )
        )


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], sys.argv[2:]))
