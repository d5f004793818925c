"""Calls a backend as it is told to: for tests whose backend is served in a network of its own.

Usage: python backend_calls.py ADDRESS
Standard input, JSON lines: {"call": method, "args": […]}, or {"call", "args", "turns": N, "pause":
seconds} for as many calls, eight at a time, each with its number before the arguments. Prints a JSON line for each line: {"event":
"answered", "call": method, "value": of the last call}. A call that fails ends the program.
"""

from __future__ import annotations

import asyncio
import json
import sys

from nodevms.rpc import RPCClient

IN_FLIGHT = 8


async def main(address: str) -> None:
    async with RPCClient() as client:
        await client.connect(address)
        while line := await asyncio.to_thread(sys.stdin.readline):
            told = json.loads(line)
            method, arguments = getattr(client, told["call"]), told["args"]
            if "turns" in told:
                numbers = iter(range(told["turns"]))

                async def some() -> None:
                    for number in numbers:  # noqa: B023
                        await method(number, *arguments)  # noqa: B023
                        await asyncio.sleep(told["pause"])  # noqa: B023

                await asyncio.gather(*(some() for _ in range(IN_FLIGHT)))
                value = None
            else:
                value = await method(*arguments)
            print(
                json.dumps({"event": "answered", "call": told["call"], "value": value}), flush=True
            )


asyncio.run(main(sys.argv[1]))
