"""Our multicast DNS and that of `dat` 13 and `dat` 14 find each other, in networks of their own.

The programs run in network namespaces, so no packet of theirs reaches a real network. In the
first there is nothing but loopback, as on a computer without a network; in the second two namespaces
are joined by a virtual cable, as two computers are.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from hyperdrive_programs import node

HERE = Path(__file__).parent
OURS, THEIRS = "10.77.0.1", "10.77.0.2"
# The second namespace lives as long as the sleeping program in it.
CABLE = f"""
there=$(unshare --net sh -c 'sleep 90 >/dev/null & echo $!')
trap 'kill $there' EXIT
ip link set lo up
ip link add ours type veth peer name theirs
ip link set theirs netns $there
ip address add {OURS}/24 dev ours
ip link set ours up
ip route add default dev ours
nsenter --target $there --net sh -ec '
ip link set lo up
ip address add {THEIRS}/24 dev theirs
ip link set theirs up
ip route add default dev theirs'
python=$1 program=$2 generation=$3 node=$4
$python $program $generation nsenter --target $there --net $node
"""


def namespace() -> list[str]:
    return ["unshare", "--net"] if os.geteuid() == 0 else ["unshare", "--map-root-user", "--net"]


@pytest.fixture(scope="module", autouse=True)
def namespaces() -> None:
    try:
        subprocess.run(
            [*namespace(), "ip", "link", "set", "lo", "up"],
            check=True,
            capture_output=True,
            timeout=30,
        )
    except (OSError, subprocess.CalledProcessError) as error:
        pytest.skip(f"This computer makes no network namespaces: {error}")


def find_each_other(command: list[str], generation: str) -> Any:
    done = subprocess.run(
        [*command, sys.executable, str(HERE / "find_each_other.py"), generation, node()],
        capture_output=True,
        text=True,
        timeout=90,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stderr == ""
    return json.loads(done.stdout)


def expected(ours: str, theirs: str) -> dict[str, Any]:
    us, them = [[ours, 4001]], [[theirs, 4002]]
    return {
        "we_found": {"us": [], "them": them, "us later": [], "them later": them},
        "they_found": {"us": us, "us later": us},
    }


@pytest.mark.parametrize("generation", ["13", "14"])
def test_programs_on_one_computer_without_a_network_find_each_other(generation: str) -> None:
    command = [*namespace(), "sh", "-c", 'ip link set lo up; exec "$@"', "sh"]
    assert find_each_other(command, generation) == expected("127.0.0.1", "127.0.0.1")


@pytest.mark.parametrize("generation", ["13", "14"])
def test_programs_on_two_computers_find_each_other(generation: str) -> None:
    command = [*namespace(), "sh", "-e", "-c", CABLE, "sh"]
    assert find_each_other(command, generation) == expected(OURS, THEIRS)
