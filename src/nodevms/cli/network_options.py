"""Options of the commands that read from the Dat network, and the network that they ask for."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, Final, TypeVar

import click

from nodevms.errors import CouldNotCheckError, UsageError

if TYPE_CHECKING:
    from nodevms.dat import Address, Network
    from nodevms.dat.discovery import Found, Way

ANYWHERE: Final = "0.0.0.0"  # noqa: S104 - whoever finds us must reach us; what is shared is public
PORT: Final = 3282

_HOST_PORT: Final = re.compile(r"(?:\[([0-9a-fA-F:.%]+)\]|([^\s\[\]:/]+)):(\d{1,5})")
F = TypeVar("F", bound=Callable[..., Any])


@dataclass(frozen=True, slots=True)
class NetworkWish:
    """What the user wants of the network.

    Attributes:
        peers: Addresses that are asked whether they have it.
        swarm: Whether peers are looked for on this computer and in the local network.
        dht: Whether they are looked for in the mainline DHT, too.
        bootstrap: Nodes of the DHT to begin with, as host:port; the well-known ones if none.
    """

    peers: tuple[Address, ...]
    swarm: bool
    dht: bool
    bootstrap: tuple[str, ...]

    @property
    def is_any(self) -> bool:
        """Whether there is any way to find a peer."""
        return bool(self.peers) or self.swarm or self.dht

    def check(self) -> None:
        """Check what can be checked before the network is joined.

        Raises:
            UsageError: The DHT is wanted and not installed, or the address of a node is none.
        """
        if self.dht:
            from nodevms.dat.discovery import NodeAddress, require_libtorrent

            require_libtorrent()
            for text in self.bootstrap:
                NodeAddress.parse(text)

    def require(self) -> None:
        """Check that there is a way to find a peer, and what else can be checked.

        Raises:
            UsageError: There is none, or as :meth:`check`.
        """
        if not self.is_any:
            raise UsageError(
                "there is no way to find a peer",
                hint="Name one with --peer HOST:PORT, or leave out --no-swarm.",
            )
        self.check()

    def network(self, port: int = 0) -> Network:
        """Return the network, not started.

        Args:
            port: To listen on, if it is free; any free one if not.

        Raises:
            UsageError: As :meth:`require`.
        """
        from nodevms.dat import Network, Swarm

        self.require()
        network = Network(Swarm(host=ANYWHERE, port=port), list(self._ways()))
        for address in self.peers:
            network.always_ask(address)
        return network

    def _ways(self) -> Iterator[Callable[[Found], Way]]:
        from nodevms.dat.discovery import (
            PUBLIC_BOOTSTRAP,
            MainlineDht,
            MulticastDiscovery,
            NodeAddress,
        )

        if self.swarm:
            yield MulticastDiscovery
        if self.dht:
            nodes = [NodeAddress.parse(text) for text in self.bootstrap]
            yield partial(MainlineDht, bootstrap=nodes or PUBLIC_BOOTSTRAP)


@asynccontextmanager
async def joined(wish: NetworkWish, port: int = 0) -> AsyncIterator[Network]:
    """Join the network, and leave it at the end.

    Args:
        wish: What the user wants of it.
        port: To listen on, if it is free; any free one if not.

    Raises:
        UsageError: The DHT cannot be had.
        CouldNotCheckError: It is not possible to listen.
    """
    network = wish.network(port)
    try:
        await network.start()
    except OSError as error:
        raise CouldNotCheckError(
            f"the Dat network cannot be joined: {error.strerror or error}", code="network"
        ) from error
    try:
        yield network
    finally:
        await network.stop()


class PeerAddress(click.ParamType[Any]):
    """A host and a port, such as ``192.168.1.5:3282`` or ``[::1]:3282``."""

    name = "host:port"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Return the Address."""
        from nodevms.dat import Address

        match = _HOST_PORT.fullmatch(str(value))
        if match is None or not 0 < int(match[3]) < 65536:
            self.fail(f"{value!r} is not host:port", param, ctx)
        return Address(match[1] or match[2], int(match[3]))


def refuse_bootstrap_alone(bootstrap: tuple[str, ...], *, dht: bool) -> None:
    """Refuse nodes of a DHT that is not asked.

    Raises:
        click.UsageError: There are some, and no ``--dht``.
    """
    if bootstrap and not dht:
        raise click.UsageError("--bootstrap is for --dht.")


def network_options(function: F) -> F:
    """Give a command the options of a :class:`NetworkWish`, which it gets as ``network``."""

    def called(
        *arguments: Any,
        peers: tuple[Address, ...],
        swarm: bool,
        dht: bool,
        bootstrap: tuple[str, ...],
        **named: Any,
    ) -> Any:
        refuse_bootstrap_alone(bootstrap, dht=dht)
        wish = NetworkWish(peers, swarm, dht, bootstrap)
        return function(*arguments, network=wish, **named)

    called.__doc__ = function.__doc__
    called.__click_params__ = getattr(function, "__click_params__", [])  # type: ignore[attr-defined]
    for option in reversed(_OPTIONS):
        called = option(called)
    return called  # type: ignore[return-value]


swarm_port_option: Final = click.option(
    "--swarm-port",
    default=PORT,
    show_default=True,
    type=click.IntRange(0, 65535),
    help="Port for the Dat network; another one if it is taken; 0 for any free one.",
)
bootstrap_option: Final = click.option(
    "--bootstrap",
    multiple=True,
    metavar="HOST:PORT",
    help="With --dht: a node to begin with, instead of the public ones; may be repeated.",
)
_OPTIONS: Final = (
    click.option(
        "--peer",
        "peers",
        multiple=True,
        type=PeerAddress(),
        metavar="HOST:PORT",
        help="Ask this peer, too; may be repeated.",
    ),
    click.option(
        "--swarm/--no-swarm",
        default=True,
        show_default=True,
        envvar="NODEVMS_SWARM",
        help="Look for peers on this computer and in the local network.",
    ),
    click.option("--dht", is_flag=True, help="Look for peers in the BitTorrent DHT, too."),
    bootstrap_option,
)
