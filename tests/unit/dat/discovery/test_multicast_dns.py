"""What is asked, answered and believed in multicast DNS, by a clock of the test's own."""

from __future__ import annotations

import base64
import struct

import pytest

from nodevms.dat.discovery import dat_names
from nodevms.dat.discovery.dns_packets import (
    SERVICE,
    TEXT,
    Question,
    Record,
    Service,
    Text,
    read_packet,
    write_packet,
)
from nodevms.dat.discovery.multicast_dns import FoundPeer, MulticastDns, Outgoing
from nodevms.errors import RemoteProtocolError

KEY = bytes(range(32))
NAME = KEY[:20].hex()
DAT_13, DAT_14 = Question(f"{NAME}.dat.local", TEXT), Question(f"{NAME}.hyperswarm.local", SERVICE)
SENDER = "192.168.1.7"
LINK = 3


def program(identity: bytes = b"us") -> MulticastDns:
    return MulticastDns(identity, lambda: 0.0)


def sharer(now: float = 0.0) -> MulticastDns:
    """A program that has a feed on port 3282 and has announced it."""
    we = program()
    we.announce(KEY, 3282, now)
    for _ in range(3):
        we.due(now)
        now = we.next_due() or now
    assert we.next_due() is None
    return we


def seeker(now: float = 0.0) -> MulticastDns:
    we = program()
    we.lookup(KEY, now)
    we.due(now)
    return we


def query(*questions: Question) -> bytes:
    return write_packet(questions=questions, response=False)


def answer(*records: Record) -> bytes:
    return write_packet(records=records, response=True)


def dat_13_answer(*peers: tuple[str, int], token: bytes = b"t") -> Text:
    packed = b"".join(
        bytes(map(int, host.split("."))) + struct.pack("!H", port) for host, port in peers
    )
    return Text(DAT_13.name, (b"token=" + token, b"peers=" + base64.b64encode(packed)))


def records(outgoing: list[Outgoing]) -> list[Record]:
    return [record for each in outgoing for record in read_packet(each.packet).records]


def found(we: MulticastDns, *answers: Record, sender: str = SENDER) -> list[tuple[str, int]]:
    peers = we.receive(LINK, answer(*answers), sender, 1.0)
    assert all(each.discovery_key == KEY for each in peers)
    return [(each.host, each.port) for each in peers]


def test_each_generation_is_answered_as_it_expects_on_the_link_where_it_asked() -> None:
    we = sharer()
    we.receive(LINK, query(DAT_13), SENDER, 100.0)
    (reply,) = we.due(100.0)
    assert reply.link == LINK
    assert read_packet(reply.packet).response
    peers = b"peers=" + base64.b64encode(bytes(4) + struct.pack("!H", 3282))
    token = b"token=" + base64.b64encode(b"us")
    assert records([reply]) == [Text(DAT_13.name, (token, peers))]
    we.receive(LINK, query(DAT_14), SENDER, 100.0)
    service, mark = Service(DAT_14.name, 3282, "0.0.0.0"), Text(DAT_14.name, (b"id=us",))
    assert records(we.due(100.0)) == [service, mark]


@pytest.mark.parametrize(
    "question",
    [
        Question(f"{'00' * 20}.dat.local", TEXT),
        Question(DAT_13.name, SERVICE),
        Question(DAT_14.name, TEXT),
        Question(DAT_13.name, 255),
        Question(f"{NAME}.local", TEXT),
        Question(f"{NAME}.other.local", TEXT),
        Question(f"x.{NAME}.dat.local", TEXT),
        Question("dat.local", TEXT),
    ],
)
def test_nothing_else_is_answered(question: Question) -> None:
    we = sharer()
    assert we.receive(LINK, query(question), SENDER, 100.0) == []
    assert we.due(100.0) == []


def test_a_thousand_questions_get_one_answer_at_once_and_one_a_second_later() -> None:
    we = sharer()
    for number in range(1000):
        sender = f"192.168.{number % 7}.{number % 200}"
        we.receive(LINK, query(*[DAT_13] * 20), sender, 100.0 + number / 1000)
    assert len(records(we.due(100.999))) == 1
    for number in range(1000):
        we.receive(LINK, query(DAT_13), f"192.168.9.{number % 200}", 101.9)
    assert we.due(101.95) == []
    assert we.next_due() == pytest.approx(101.999)
    assert len(records(we.due(102.0))) == 1
    assert we.next_due() is None


def test_an_answer_is_no_longer_than_a_few_times_its_question() -> None:
    we = sharer()
    for question in (DAT_13, DAT_14):
        asked = query(question)
        we.receive(LINK, asked, SENDER, 100.0)
        (reply,) = we.due(100.0)
        assert len(reply.packet) < 3 * len(asked)


def test_the_same_question_on_another_link_is_answered_there() -> None:
    we = sharer()
    we.receive(LINK, query(DAT_13), SENDER, 100.0)
    we.receive(LINK + 1, query(DAT_13), SENDER, 100.0)
    assert {each.link for each in we.due(100.0)} == {LINK, LINK + 1}


def test_a_loud_sender_is_not_heard_and_others_are() -> None:
    we = seeker()
    mine = answer(dat_13_answer(("0.0.0.0", 5000)))
    heard = [bool(we.receive(LINK, mine, SENDER, 1.0)) for _ in range(500)]
    assert heard == [True] * 60 + [False] * 440
    assert we.receive(LINK, mine, "192.168.1.8", 1.0)
    assert we.receive(LINK, mine, SENDER, 2.0)


def test_no_number_of_made_up_senders_is_heard_without_bound() -> None:
    we = seeker()
    mine = answer(dat_13_answer(("0.0.0.0", 5000)))
    heard = sum(
        bool(we.receive(LINK, mine, f"10.{a}.{b}.1", 1.0)) for a in range(20) for b in range(100)
    )
    assert heard == 300


def test_peers_of_both_generations_are_found() -> None:
    we = seeker()
    assert found(we, dat_13_answer(("0.0.0.0", 5000), (SENDER, 5001))) == [
        (SENDER, 5000),
        (SENDER, 5001),
    ]
    service, mark = Service(DAT_14.name, 5002, "0.0.0.0"), Text(DAT_14.name, (b"id=them",))
    assert found(we, service, mark) == [(SENDER, 5002)]


@pytest.mark.parametrize(
    "record",
    [
        dat_13_answer(("8.8.8.8", 53)),  # a third party
        Service(DAT_14.name, 53, "8.8.8.8"),
        Service(DAT_14.name, 53, "example.com"),
        dat_13_answer(("0.0.0.0", 0)),
        Service(DAT_14.name, 0, "0.0.0.0"),
        Text(DAT_13.name, (b"peers=!!!!", b"token=t")),
        Text(DAT_13.name, (b"peers=" + base64.b64encode(b"12345"),)),
        Text(DAT_13.name, (b"peers",)),
        Text(DAT_14.name, (b"peers=" + base64.b64encode(b"\0\0\0\0\x0c\xd2"),)),
        Service(DAT_13.name, 5000, "0.0.0.0"),
        dat_13_answer(("0.0.0.0", 5000), token=base64.b64encode(b"us")),  # our own
    ],
)
def test_an_answer_without_a_peer_to_believe_finds_none(record: Record) -> None:
    assert found(seeker(), record) == []


def test_of_many_peers_in_one_answer_few_are_read() -> None:
    named = dat_13_answer(*[("0.0.0.0", port) for port in range(1, 26)])
    assert found(seeker(), named) == [(SENDER, port) for port in range(1, 17)]


def test_our_own_packets_are_not_heard() -> None:
    we = program()
    we.announce(KEY, 3282, 0.0)
    we.lookup(KEY, 0.0)
    for each in we.due(0.0):
        assert we.receive(LINK, each.packet, SENDER, 0.0) == []
    assert we.due(0.5) == []


def test_another_program_of_ours_finds_us_and_is_found_through_each_other_s_packets() -> None:
    sharing, seeking = program(b"one"), program(b"two")
    seeking.lookup(KEY, 0.0)
    (asked,) = seeking.due(0.0)
    sharing.announce(KEY, 3282, 0.0)
    (announced,) = sharing.due(0.0)
    assert announced.link is None
    expected = [FoundPeer(KEY, SENDER, 3282)]
    assert set(seeking.receive(LINK, announced.packet, SENDER, 0.0)) == set(expected)
    sharing.receive(LINK, asked.packet, SENDER, 0.0)
    (replied,) = sharing.due(0.0)
    assert set(seeking.receive(LINK, replied.packet, SENDER, 0.0)) == set(expected)


def test_a_seeker_asks_less_and_less_often_but_every_minute() -> None:
    we = program()
    we.lookup(KEY, 0.0)
    times = []
    while (due := we.next_due()) is not None and due < 250.0:
        times.append(due)
        (asked,) = we.due(due)
        assert asked.link is None
        assert read_packet(asked.packet).questions == (DAT_13, DAT_14)
    assert times == [0.0, 1.0, 3.0, 7.0, 15.0, 31.0, 63.0, 123.0, 183.0, 243.0]


def test_a_seeker_that_hears_a_question_asks_soon_but_not_again_and_again() -> None:
    we = seeker()
    for at in (1.0, 3.0, 7.0, 15.0, 31.0):
        we.due(at)
    assert we.next_due() == 63.0
    we.receive(LINK, query(DAT_13), SENDER, 40.0)
    assert we.next_due() == pytest.approx(40.1)
    we.due(40.2)
    we.receive(LINK, query(DAT_13), SENDER, 41.0)
    assert we.next_due() == pytest.approx(100.2)


def test_whoever_gives_up_is_silent() -> None:
    we = sharer()
    we.receive(LINK, query(DAT_13), SENDER, 100.0)
    we.unannounce(KEY)
    assert we.due(200.0) == []
    seeking = seeker()
    seeking.forget(KEY)
    assert seeking.next_due() is None
    assert found(seeking, dat_13_answer(("0.0.0.0", 5000))) == []


def test_a_new_link_is_told_and_asked_at_once() -> None:
    we = sharer()
    we.lookup(bytes(32), 50.0)
    we.due(50.0)
    we.link_up(50.5)
    assert len(we.due(50.5)) == 2


def test_many_feeds_share_packets_that_fit_a_frame() -> None:
    we = program()
    for number in range(9):
        we.announce(bytes([number]) * 32, 3282, 0.0)
        we.lookup(bytes([number]) * 32, 0.0)
    packets = [each.packet for each in we.due(0.0)]
    assert len(packets) == 6
    assert max(map(len, packets)) < 1472
    questions = {each.name for packet in packets for each in read_packet(packet).questions}
    assert len(questions) == 18


def test_a_packet_that_names_our_feed_and_is_broken_is_the_senders_fault() -> None:
    we = seeker()
    with pytest.raises(RemoteProtocolError):
        we.receive(LINK, query(DAT_13)[:-1], SENDER, 1.0)
    assert we.receive(LINK, b"anything else", SENDER, 1.0) == []


def test_names_have_the_first_twenty_bytes_of_the_discovery_key() -> None:
    assert dat_names.NAME_BYTES == 20
    assert [each.name.partition(".")[0] for each in dat_names.questions(NAME)] == [NAME, NAME]
