"""Backends are mounted and unmounted while the server runs."""

from __future__ import annotations

import asyncio

import pytest
from fixed_backend import FixedBackend
from serving import called, request, serving

from nodevms.errors import UsageError
from nodevms.rpc import ConnectionFailedError, RemoteError, RPCClient, RPCServer
from nodevms.rpc.stand_in import StandIn


async def test_a_backend_is_mounted_while_the_server_runs() -> None:
    async with serving({"/ann": FixedBackend()}) as wire:
        async with wire.post(request("echo").encode(), "/bob") as response:
            assert response.status == 404
        wire.server.mount("/bob", FixedBackend())
        for path in ("/ann", "/bob", "/bob/"):
            async with wire.post(request("echo").encode(), path) as response:
                assert response.status == 200
        with pytest.raises(UsageError, match="already"):
            wire.server.mount("/bob", FixedBackend())
        with pytest.raises(UsageError):
            wire.server.mount("/feeds", FixedBackend())


async def test_an_unmounted_backend_answers_what_it_accepted() -> None:
    ann, bob = FixedBackend(), FixedBackend(held=True)
    async with serving({"/ann": ann, "/bob": bob}) as wire:
        place = f"localhost:{wire.server.port}"
        async with RPCClient() as of_ann, RPCClient() as of_bob:
            await of_ann.connect(f"{place}/ann")
            await of_bob.connect(f"{place}/bob")
            waiting = asyncio.ensure_future(of_bob.call("echo", 2))
            await called(bob)
            unmounting = asyncio.ensure_future(wire.server.unmount("/bob"))
            await asyncio.sleep(0)
            assert not unmounting.done()
            bob.release()
            await unmounting
            assert await waiting == [2]
            assert await of_ann.call("echo", 1) == [1]
            assert wire.server.connections == 1
        async with wire.post(request("echo").encode(), "/bob") as response:
            assert response.status == 404
        with pytest.raises(UsageError, match="no backend"):
            await wire.server.unmount("/bob")
        wire.server.mount("/bob", bob)
        async with wire.session.get(wire.url("/bob")) as response:
            assert response.status == 200


async def test_mounts_are_made_before_the_start_too() -> None:
    server = RPCServer(port=0)
    server.mount("/ann", FixedBackend())
    server.mount("/bob", FixedBackend())
    await server.unmount("/bob")
    await server.start()
    try:
        async with RPCClient() as client:
            await client.connect(f"localhost:{server.port}/ann")
            assert await client.call("echo", 2) == [2]
    finally:
        await server.stop()


async def test_another_backend_takes_a_place_without_a_moment_between() -> None:
    before, after = FixedBackend(held=True), FixedBackend()
    async with serving({"/": before}) as wire:
        async with RPCClient() as client, RPCClient() as new:
            await client.connect(f"localhost:{wire.server.port}")
            waiting = asyncio.ensure_future(client.call("echo", 1))
            await called(before)
            replacing = asyncio.ensure_future(wire.server.replace("/", after))
            await asyncio.sleep(0)
            await new.connect(f"localhost:{wire.server.port}")
            assert await new.call("echo", 2) == [2]
            assert not replacing.done()
            before.release()
            assert await waiting == [1]
            await replacing
            with pytest.raises(ConnectionFailedError, match="1001 This backend is served here no"):
                await client.call("echo", 3)
            assert await new.call("echo", 4) == [4]
            assert wire.server.connections == 1
        with pytest.raises(UsageError, match="no backend"):
            await wire.server.replace("/bob", after)


async def test_who_stands_in_for_a_backend_tells_everybody_why() -> None:
    async with serving({"/": FixedBackend()}) as wire:
        await wire.server.replace("/", StandIn("a.js:1:2: it is broken"))
        for method in ("handshake", "rpc.discover", "echo", "missing"):
            async with wire.post(request(method).encode(), "/?user=bob") as response:
                error = (await response.json())["error"]
                assert (error["code"], error["data"]) == (-32004, "a.js:1:2: it is broken")
        async with wire.session.get(wire.url("/")) as response:
            assert response.status == 503
            assert (await response.json())["error"]["message"] == "a.js:1:2: it is broken"
        async with wire.session.get(wire.url("/feeds/call-log/head")) as response:
            assert response.status == 404
        async with RPCClient() as client:
            with pytest.raises(RemoteError, match="it is broken"):
                await client.connect(f"localhost:{wire.server.port}")
