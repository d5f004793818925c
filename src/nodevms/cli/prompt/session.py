"""A prompt's session: what one input defines, the next one sees."""

from __future__ import annotations

import json
import signal
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from importlib import resources
from typing import Any, Final, Literal

from nodevms.cli.prompt.failure import Failure, Inputs
from nodevms.cli.prompt.host import EvaluationHost
from nodevms.cli.prompt.link import Link
from nodevms.cli.prompt.source import read
from nodevms.sandbox import Engine, EngineFaultError, Limits, Outcome, Sandbox
from nodevms.vm.engine_thread import start_engine_thread

LIMITS: Final = Limits(
    gas=10**12,
    memory_bytes=256 * 1024 * 1024,
    result_bytes=16 * 1024 * 1024,
    console_bytes=64 * 1024 * 1024,
)
Form = Literal["shown", "raw", "json"]
_UNCAUGHT: Final = "Uncaught (in promise) "
"""How the engine begins when nobody waited for a promise that was rejected."""

INTERRUPT_SECONDS: Final = 0.1
"""How soon Ctrl-C stops a computation, at the latest."""


class Screen:
    """Where a session's values and errors go; the base class drops them."""

    def value(self, text: str) -> None:
        """Show a value, as the engine's console shows it."""

    def string(self, text: str) -> None:
        """Show a value that is a string."""

    def json(self, text: str) -> None:
        """Show a value as JSON text."""

    def console(self, level: str, text: str) -> None:
        """Show what the input itself printed."""

    def failure(self, failure: Failure) -> None:
        """Show what went wrong."""

    def notice(self, text: str) -> None:
        """Show a sentence about the session."""


class Session:
    """Evaluates one input after the other in an engine of its own.

    Its methods wait for the engine, and Ctrl-C ends that wait: what the input did to variables is
    then undone, and calls that it made stay made.

    Args:
        link: A connected link.
        screen: Where values and errors go.
        now: Milliseconds since 1970, for ``Date``.

    Attributes:
        timer_ms: Milliseconds until the next timer that inputs left, or None.
    """

    def __init__(self, link: Link, screen: Screen, now: Callable[[], int]) -> None:
        self.timer_ms: float | None = None
        self._link = link
        self._screen = screen
        self._now = now
        self._engine = Engine()
        self._inputs = Inputs()
        self._failure: Failure | None = None
        self._host = EvaluationHost(link, self, now)
        self._sandbox = self._begin()

    @property
    def methods(self) -> Mapping[str, tuple[str, ...]]:
        """The backend's methods with the names of their parameters."""
        return self._link.parameters

    def evaluate(self, text: str, form: Form = "shown") -> Failure | None:
        """Evaluate one input and show what comes of it.

        Args:
            text: JavaScript; nothing is shown for a value that is undefined.
            form: Show the value as a prompt does, with strings ``raw``, or as JSON text.

        Returns:
            What went wrong, which was shown already.
        """
        if self._link.changed:
            self._link.changed = False
            self._connect()
        typed = read(text)
        source = {
            "code": self._inputs.place(typed),
            "waits": typed.waits,
            "names": typed.names,
            "constants": typed.constants,
            "wanted": form,
        }
        return self._show(source)

    def tick(self) -> Failure | None:
        """Fire the timers that are due, and return what went wrong with the last that failed."""
        self._failure = None
        self._judge(self._enter("tick", self._now()))
        return self._failure

    def check(self, code: str) -> tuple[str, str] | None:
        """Compile and do not run.

        Returns:
            None if the engine can compile it, otherwise the error's message and stack, in which
            the code's lines begin with line 2.
        """
        outcome = self._enter("check", code)
        if outcome.result is None:
            return None
        told = json.loads(outcome.result)
        return None if told is None else (str(told["message"]), str(told["stack"]))

    def members(self, path: list[str]) -> list[str]:
        """Return the names that a path such as ``["client"]`` leads to; of the globals for []."""
        outcome = self._enter("members", path)
        return [] if outcome.result is None else list(json.loads(outcome.result))

    def close(self) -> None:
        """Free the engine."""
        self._sandbox.close()

    def value(self, text: str) -> None:
        """Hear a value; see :class:`nodevms.cli.prompt.host.Told`."""
        self._screen.value(self._inputs.tidy(text))

    def string(self, text: str) -> None:
        """Hear a string; see :class:`nodevms.cli.prompt.host.Told`."""
        self._screen.string(text)

    def json(self, text: str) -> None:
        """Hear JSON text; see :class:`nodevms.cli.prompt.host.Told`."""
        self._screen.json(text)

    def console(self, level: str, text: str) -> None:
        """Hear what was printed; see :class:`nodevms.cli.prompt.host.Told`."""
        if level == "error" and text.startswith(_UNCAUGHT):
            self._fail(Failure(self._inputs.tidy(text)))
        else:
            self._screen.console(level, self._inputs.tidy(text))

    def failed(self, told: Mapping[str, object] | None, text: str) -> None:
        """Hear of an error; see :class:`nodevms.cli.prompt.host.Told`."""
        self._fail(Failure(f"Uncaught {text}") if told is None else self._inputs.failure(told))

    def _show(self, source: dict[str, Any]) -> Failure | None:
        self._failure = None
        try:
            outcome = self._enter("evaluate", source, self._now())
        except EngineFaultError as error:
            self._sandbox = self._begin()
            self._fail(
                Failure(f"{error}. The engine was started anew: variables are gone.", "limit")
            )
            return self._failure
        self._judge(outcome)
        return self._failure

    def _judge(self, outcome: Outcome) -> None:
        if outcome.error is None:
            self.timer_ms = None if outcome.result is None else json.loads(outcome.result)
            return
        told = json.loads(outcome.error)
        if self._host.interrupted:
            self._fail(Failure("Interrupted.", "interrupt"))
        elif outcome.undone:
            after = " What this input did to variables is undone; calls that it made stay made."
            self._fail(Failure(f"{told['name']}: {told['message']}.{after}", "limit"))
        else:
            self.failed(told, "")

    def _fail(self, failure: Failure) -> None:
        self._failure = failure
        self._screen.failure(failure)

    def _begin(self) -> Sandbox:
        code = resources.files("nodevms.cli.prompt").joinpath("script.js").read_text("utf-8")
        self._sandbox = sandbox = Sandbox(self._engine, LIMITS)
        self._run(lambda: sandbox.start(code, None, time_ms=self._now(), host=self._host))
        self._connect()
        return sandbox

    def _connect(self) -> None:
        self._enter("connect", list(self._link.parameters), self._now())

    def _enter(self, method: str, *arguments: object) -> Outcome:
        text = json.dumps(arguments).encode()
        self._host = host = EvaluationHost(self._link, self, self._now)
        try:
            return self._run(
                lambda: self._sandbox.call(
                    method, text, caller=None, time_ms=self._now(), host=host
                )
            )
        finally:
            host.abandon()

    def _run(self, work: Callable[[], Outcome]) -> Outcome:
        """Run it on an engine's thread; Ctrl-C interrupts the work and never this wait."""
        results: list[Outcome] = []
        errors: list[BaseException] = []
        done = threading.Event()

        def run() -> None:
            try:
                results.append(work())
            except BaseException as error:
                errors.append(error)
            finally:
                done.set()

        with _sigint_calls(self._host.interrupt):
            start_engine_thread(run)
            while not done.wait(INTERRUPT_SECONDS):
                if self._host.interrupted:
                    self._sandbox.interrupt()
        if errors:
            raise errors[0]
        return results[0]


@contextmanager
def _sigint_calls(interrupt: Callable[[], None]) -> Iterator[None]:
    """Let SIGINT call a function instead of raising KeyboardInterrupt at any place of ours."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGINT, lambda _number, _frame: interrupt())
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
