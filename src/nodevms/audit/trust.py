"""What an audit took on trust: the answers of oracles, which no replay can check."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

from nodevms.vm.entries import Oracle
from nodevms.vm.oracles import hosts_of

HOSTS_MAX: Final = 1000
"""A hostile log may name any number of hosts."""


@dataclass(slots=True)
class Trusted:
    """What rests on the word of the host alone.

    Attributes:
        entries: How many entries asked oracles: their results may rest on them, and all that came
            after.
        oracles: How many oracles they asked.
        hosts: The first hosts that oracles asked, each with the number of these oracles.
        more_hosts: Whether there were other hosts than these.
    """

    entries: int = 0
    oracles: int = 0
    hosts: dict[str, int] = field(default_factory=dict)
    more_hosts: bool = False

    def add(self, oracles: Sequence[Oracle]) -> None:
        """Count what one entry asked."""
        self.entries += bool(oracles)
        self.oracles += len(oracles)
        for oracle in oracles:
            for host in hosts_of(oracle):
                if host in self.hosts or len(self.hosts) < HOSTS_MAX:
                    self.hosts[host] = self.hosts.get(host, 0) + 1
                else:
                    self.more_hosts = True
