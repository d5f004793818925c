from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from itertools import chain

import pytest

from nodevms.vm.errors import BackendClosedError, QueueFullError
from nodevms.vm.request_queue import QUEUE_BYTES_MAX
from nodevms.vm.requests import Answer, Outcome, Request
from nodevms.vm.worker import BATCH_CALLS_MAX, Worker

PATIENCE_S = 20


class Bench:
    """A worker whose execution and disk can be held up and made to fail."""

    def __init__(self, queue_max: int = 10, size: int = 1) -> None:
        self.executed: list[int] = []
        self.batches: list[list[int]] = []
        self.delivered: list[tuple[int, Outcome]] = []
        self.abandoned: tuple[list[int], list[int]] | None = None
        self.disk = threading.Event()
        self.disk.set()
        self.engine = threading.Event()
        self.engine.set()
        self.running = threading.Semaphore(0)
        self.writing = threading.Semaphore(0)
        self.fail_on: int | None = None
        self.fail_batch: int | None = None
        self.break_batch: int | None = None
        self.worker: Worker[int] = Worker(
            execute=self._execute,
            commit=self._commit,
            abandon=self._abandon,
            size=lambda _: size,
            deliver=self._deliver,
            queue_max=queue_max,
        )

    def submit(self, number: int) -> None:
        self.worker.submit(Request("f", b"[]", None, number))

    def let_go(self) -> None:
        self.engine.set()
        self.disk.set()
        self.worker.close()

    def _execute(self, request: Request) -> int:
        self.running.release()
        assert self.engine.wait(PATIENCE_S)
        number = request.token
        assert isinstance(number, int)
        if number == self.fail_on:
            raise RuntimeError("the engine broke")
        self.executed.append(number)
        return number

    def _commit(self, batch: list[int]) -> bool:
        self.writing.release()
        assert self.disk.wait(PATIENCE_S)
        if len(self.batches) == self.break_batch:
            raise RuntimeError("the disk's thread broke")
        if len(self.batches) == self.fail_batch:
            return False
        self.batches.append(list(batch))
        self.delivered += [(number, Answer(None, None, number, 0)) for number in batch]
        return True

    def _abandon(self, executed: list[int], waiting: list[Request]) -> None:
        self.abandoned = (list(executed), [_number(request) for request in waiting])

    def _deliver(self, outcomes: Sequence[tuple[Request, Outcome]]) -> None:
        self.delivered += [(_number(request), outcome) for request, outcome in outcomes]


def _number(request: Request) -> int:
    assert isinstance(request.token, int)
    return request.token


@pytest.fixture
def make() -> Iterator[Callable[..., Bench]]:
    benches: list[Bench] = []

    def begin(**options: int) -> Bench:
        benches.append(Bench(**options))
        return benches[-1]

    yield begin
    for bench in benches:
        bench.let_go()


def test_requests_run_and_commit_in_order(make: Callable[..., Bench]) -> None:
    bench = make(queue_max=1000)
    for number in range(500):
        bench.submit(number)
    bench.let_go()
    assert bench.executed == list(range(500))
    assert [number for batch in bench.batches for number in batch] == list(range(500))
    assert [number for number, _ in bench.delivered] == list(range(500))
    assert bench.abandoned is None


def test_calls_that_wait_for_the_disk_are_committed_together(make: Callable[..., Bench]) -> None:
    bench = make()
    bench.disk.clear()
    bench.submit(0)
    assert bench.writing.acquire(timeout=PATIENCE_S)
    for number in range(1, 6):
        bench.submit(number)
    for _ in range(6):  # all run while the first is still being written
        assert bench.running.acquire(timeout=PATIENCE_S)
    bench.let_go()
    assert bench.batches == [[0], [1, 2, 3, 4, 5]]


@pytest.mark.parametrize(
    ("size", "most"), [(1, BATCH_CALLS_MAX), (4 * 1024 * 1024, 2), (64 * 1024 * 1024, 1)]
)
def test_a_batch_is_bounded(make: Callable[..., Bench], size: int, most: int) -> None:
    bench = make(queue_max=3000, size=size)
    bench.disk.clear()
    bench.submit(0)
    assert bench.writing.acquire(timeout=PATIENCE_S)
    for number in range(1, 2 * BATCH_CALLS_MAX):
        bench.submit(number)
    for _ in range(1 + most):  # the first batch, and a whole one behind it
        assert bench.running.acquire(timeout=PATIENCE_S)
    bench.let_go()
    assert max(map(len, bench.batches)) == most
    assert list(chain.from_iterable(bench.batches)) == list(range(2 * BATCH_CALLS_MAX))


def test_the_queue_is_bounded(make: Callable[..., Bench]) -> None:
    bench = make(queue_max=3)
    bench.engine.clear()
    bench.submit(0)
    assert bench.running.acquire(timeout=PATIENCE_S)
    for number in (1, 2, 3):
        bench.submit(number)
    assert bench.worker.waiting == 3
    with pytest.raises(QueueFullError, match="Too many active requests"):
        bench.submit(4)
    bench.let_go()
    assert bench.executed == [0, 1, 2, 3]
    assert [number for number, _ in bench.delivered] == [0, 1, 2, 3]


def test_the_queue_s_bytes_are_bounded(make: Callable[..., Bench]) -> None:
    bench = make(queue_max=1000)
    bench.engine.clear()
    bench.submit(0)
    assert bench.running.acquire(timeout=PATIENCE_S)
    large = b"[" + b" " * (QUEUE_BYTES_MAX // 4 - 2) + b"]"
    for number in (1, 2, 3, 4):
        bench.worker.submit(Request("f", large, None, number))
    with pytest.raises(QueueFullError, match="Too many active requests"):
        bench.submit(5)
    bench.engine.set()
    while bench.worker.waiting:
        assert bench.running.acquire(timeout=PATIENCE_S)
    bench.submit(6)
    bench.let_go()
    assert bench.executed == [0, 1, 2, 3, 4, 6]


def test_what_has_not_begun_can_be_refused(make: Callable[..., Bench]) -> None:
    bench = make()
    bench.engine.clear()
    for number in range(4):
        bench.submit(number)
    assert bench.running.acquire(timeout=PATIENCE_S)
    bench.worker.refuse_waiting()
    assert bench.worker.waiting == 0
    refused = dict(bench.delivered)
    assert list(refused) == [1, 2, 3]
    assert all(isinstance(outcome, BackendClosedError) for outcome in refused.values())
    bench.let_go()
    assert bench.executed == [0]


def test_a_closed_worker_takes_nothing_but_ends_what_it_took(make: Callable[..., Bench]) -> None:
    bench = make()
    bench.engine.clear()
    for number in range(3):
        bench.submit(number)
    closing = threading.Thread(target=bench.worker.close)
    closing.start()
    bench.engine.set()
    closing.join()
    assert [number for number, _ in bench.delivered] == [0, 1, 2]
    with pytest.raises(BackendClosedError):
        bench.submit(3)


def test_what_ran_before_the_engine_broke_is_committed(make: Callable[..., Bench]) -> None:
    bench = make()
    bench.fail_on = 2
    bench.engine.clear()
    for number in range(5):
        bench.submit(number)
    bench.let_go()
    assert list(chain.from_iterable(bench.batches)) == [0, 1]
    outcomes = dict(bench.delivered)
    assert isinstance(outcomes[2], RuntimeError)
    assert bench.abandoned == ([], [3, 4])
    with pytest.raises(BackendClosedError):
        bench.submit(5)


def test_a_failed_disk_ends_everything(make: Callable[..., Bench]) -> None:
    bench = make()
    bench.fail_batch = 0
    bench.disk.clear()
    bench.submit(0)
    assert bench.writing.acquire(timeout=PATIENCE_S)
    bench.submit(1)
    for _ in range(2):
        assert bench.running.acquire(timeout=PATIENCE_S)
    bench.disk.set()
    bench.worker.close()
    assert bench.batches == []
    assert bench.abandoned is not None
    executed, waiting = bench.abandoned
    assert executed + waiting == [1]
    with pytest.raises(BackendClosedError):
        bench.submit(2)


def test_a_commit_that_breaks_leaves_nobody_waiting(make: Callable[..., Bench]) -> None:
    bench = make()
    bench.break_batch = 0
    bench.disk.clear()
    bench.submit(0)
    assert bench.writing.acquire(timeout=PATIENCE_S)
    for number in (1, 2):
        bench.submit(number)
    bench.disk.set()
    bench.worker.close()
    assert bench.abandoned is not None
    executed, waiting = bench.abandoned
    assert executed + waiting == [0, 1, 2]
    assert executed[0] == 0
