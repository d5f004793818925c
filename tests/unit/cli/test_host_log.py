from __future__ import annotations

import json
import logging
import os
from collections.abc import Iterator

import pytest

from nodevms.cli.host_log import WAITING_BYTES_MAX, HostLog, JsonLines, TextLines


@pytest.fixture
def pipe() -> Iterator[tuple[int, int]]:
    reader, writer = os.pipe()
    yield reader, writer
    os.close(reader)
    os.close(writer)


def read_all(reader: int) -> str:
    os.set_blocking(reader, False)
    text = b""
    try:
        while part := os.read(reader, 65536):
            text += part
    except BlockingIOError:
        pass
    return text.decode()


def test_lines_name_logger_and_entry(pipe: tuple[int, int]) -> None:
    with HostLog(pipe[1]) as log:
        log.setFormatter(TextLines())
        logging.getLogger("nodevms.vm").warning("one %s", "ö")
        logging.getLogger("nodevms.script").warning("two", extra={"seq": 3})
    assert read_all(pipe[0]) == "nodevms.vm: one ö\nnodevms.script: entry 3: two\n"


def test_json_lines_are_one_object_each(pipe: tuple[int, int]) -> None:
    with HostLog(pipe[1]) as log:
        log.setFormatter(JsonLines())
        logging.getLogger("nodevms.script").error("a\nb", extra={"seq": 3})
    line = json.loads(read_all(pipe[0]))
    assert line.pop("time").endswith("+00:00")
    assert line == {"level": "error", "logger": "nodevms.script", "seq": 3, "message": "a\nb"}


def test_who_logs_never_waits_for_a_reader(pipe: tuple[int, int]) -> None:
    logger = logging.getLogger("nodevms.script")
    with HostLog(pipe[1]) as log:
        log.setFormatter(TextLines())
        for number in range(2 * WAITING_BYTES_MAX // 1000):
            logger.warning("%d %s", number, "x" * 1000)
    # It ended although nobody read. What waits is bounded, and the rest is counted for who reads.
    text = b""
    while b" log lines dropped, because nobody read them\n" not in text[-100:]:
        text += os.read(pipe[0], 1 << 20)
    kept = text.count(b"\n") - 1
    dropped = int(text.splitlines()[-1].split()[1])
    assert kept + dropped == 2 * WAITING_BYTES_MAX // 1000
    assert dropped > 0


def test_a_reader_that_is_gone_is_no_failure() -> None:
    reader, writer = os.pipe()
    os.close(reader)
    with HostLog(writer) as log:
        log.setFormatter(TextLines())
        logging.getLogger("nodevms.script").warning("nobody hears this")
    os.close(writer)
