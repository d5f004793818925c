"""``nodevms call``: one call, for scripts."""

from __future__ import annotations

import asyncio
import difflib
import json
import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

from nodevms.cli.error_report import report_error
from nodevms.cli.options import timeout_option, user_option, utf8
from nodevms.cli.printable import json_for_stdout, printable
from nodevms.cli.standard_output import read_or_not
from nodevms.errors import NodeVMSError

if TYPE_CHECKING:
    from nodevms.rpc import RawAnswer, RemoteError, RPCClient

INPUT_BYTES_MAX: Final = 64 * 1024 * 1024
"""More than any server takes, and little enough to be read at once."""

_EXIT_CODES: Final = {
    "unknown-method": 2,
    "arguments": 2,
    "parse-error": 2,
    "invalid-request": 2,
    "caller": 2,
    "thrown": 1,
    "thrown-value": 1,
    "limit-exceeded": 2,
}
"""Of what a server answers; whatever is not here could not be done, 3."""


class _CallCommand(click.Command):
    """Takes ``-5`` for a number and not for an option."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        return super().parse_args(
            ctx, [f" {text}" if re.match(r"-\d", text) else text for text in args]
        )


@click.command(cls=_CallCommand, short_help="Call one method and print its result as JSON.")
@click.argument("url")
@click.argument("method")
@click.argument("arguments", nargs=-1, metavar="[JSON]...")
@user_option
@click.option(
    "--json",
    "as_json",
    is_flag=True,
    help="Print one JSON object: the result or error, the call's entry (seq) and its epoch; of a "
    "read-only call what it was computed at.",
)
@click.option(
    "--save",
    "saved",
    metavar="FILE",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Keep the answer of a read-only call, for verify --answer.",
)
@timeout_option
def command(
    url: str,
    method: str,
    arguments: tuple[str, ...],
    user: str | None,
    as_json: bool,
    saved: Path | None,
    timeout: float,
) -> None:
    """Call METHOD of the backend at URL and print its result as JSON.

    Each argument is JSON if it reads as JSON, and otherwise a string; '"5"' is the string 5. The
    argument - stands for what standard input holds, without a newline at its end. A result that is
    undefined prints nothing.

    Exits with 1 when the script throws or goes over a limit, with 2 when the backend has no such
    method or does not take the arguments or the user, and with 3 when the call could not be made or
    its outcome is unknown.

    \b
    nodevms call localhost:5555 increment
    nodevms call localhost:5555 addPhoto cat.png iVBORw== base64
    base64 -w0 cat.png | nodevms call localhost:5555 addPhoto cat.png - base64
    nodevms call localhost:5555 increment --json
    nodevms call localhost:5555 size --save size.json
    """  # noqa: D301
    from nodevms.rpc import RemoteError

    texts = _read_all(arguments)
    try:
        answer = asyncio.run(_call(url, method, texts, user, timeout, saved))
    except RemoteError as error:
        with read_or_not():
            _tell(error, as_json)
        sys.exit(_EXIT_CODES.get(error.code, 3))
    except NodeVMSError as error:
        with read_or_not():
            _tell(error, as_json)
        sys.exit(error.exit_code)
    else:
        _print(answer, as_json)


async def _call(
    url: str,
    method: str,
    arguments: list[str],
    user: str | None,
    timeout_seconds: float,
    saved: Path | None,
) -> RawAnswer:
    from nodevms.rpc import RemoteError, RPCClient

    async with RPCClient(timeout_seconds=timeout_seconds) as client:
        await client.connect(url, user)
        text = f"[{','.join(arguments)}]".encode()
        try:
            if saved is not None:
                return await _save(client, method, text, saved)
            return await client.request(method, text)
        except RemoteError as error:
            if error.code == "unknown-method" and client.info is not None:
                raise _no_such_method(error, method, client.info.methods) from None
            raise


async def _save(client: RPCClient, method: str, text: bytes, path: Path) -> RawAnswer:
    """Call a read-only method, and keep its answer before anybody sees it."""
    from nodevms.cli.saved_answers import write_answer
    from nodevms.rpc import RawAnswer, RemoteError

    try:
        answer = await client.call_readonly_json(method, text)
    except RemoteError as error:
        if error.answer is not None:
            write_answer(path, error.answer)
        raise
    write_answer(path, answer)
    return RawAnswer(answer.result, None, answer.epoch, answer.read_at)


def _no_such_method(error: RemoteError, method: str, methods: tuple[str, ...]) -> RemoteError:
    """Say which method there is not, and which there are."""
    from nodevms.rpc import RemoteError

    told = RemoteError(
        f"The backend has no method {method}", "", code=error.code, rpc_code=error.rpc_code
    )
    near = difflib.get_close_matches(method, methods, n=1)
    told.hint = f"Did you mean {near[0]}?" if near else f"The backend has: {', '.join(methods)}"
    return told


def _read_all(arguments: tuple[str, ...]) -> list[str]:
    """Return the JSON text of each argument."""
    if arguments.count("-") > 1:
        raise click.UsageError("Only one argument can come from standard input.")
    return [_read(_read_input() if text == "-" else utf8(text)) for text in arguments]


def _read_input() -> str:
    data = sys.stdin.buffer.read(INPUT_BYTES_MAX + 1)
    if len(data) > INPUT_BYTES_MAX:
        raise click.UsageError(f"Standard input holds more than {INPUT_BYTES_MAX:,} bytes.")
    try:
        return data.decode("utf-8").removesuffix("\n").removesuffix("\r")
    except UnicodeDecodeError as error:
        raise click.UsageError(
            f"Standard input is not UTF-8 text (byte {error.start}). Pass bytes as base64."
        ) from None


def _read(text: str) -> str:
    """Return the argument's JSON text, the reader's own wherever it is JSON."""
    try:
        json.loads(text, parse_constant=_refuse)
    except (ValueError, RecursionError):
        return json.dumps(text)
    return text


def _refuse(name: str) -> None:
    raise ValueError(name)


def _print(answer: RawAnswer, as_json: bool) -> None:
    if not as_json:
        if answer.result is not None:
            click.echo(json_for_stdout(answer.result))
        return
    # The result is written as the backend wrote it: numbers must stay as they are.
    parts = [] if answer.result is None else [b'"result":' + answer.result]
    numbers = {"seq": answer.seq, "epoch": answer.epoch}
    parts += [b'"%b":%d' % (k.encode(), v) for k, v in numbers.items() if v is not None]
    if answer.read_at is not None:
        from nodevms.rpc.read_at import encode_read_at

        parts.append(b'"readonly":' + encode_read_at(answer.read_at))
    click.echo(json_for_stdout(b"{" + b",".join(parts) + b"}"))


def _tell(error: NodeVMSError, as_json: bool) -> None:
    from nodevms.rpc import RemoteError

    remote = error if isinstance(error, RemoteError) else None
    if as_json:
        click.echo(json.dumps(_as_json(error, remote)))
    elif remote is None:
        report_error(error)
    else:
        code = "" if remote.error_code is None else f" [{remote.error_code}]"
        message = f": {remote.message}" if remote.message else ""
        said = f"{remote.name}{code}{message}"
        if remote.code == "thrown-value" and remote.rpc_code is None:
            said = f"The script threw {remote.message}"
        click.secho(f"nodevms: {printable(said)}", fg="red", err=True)
        if remote.stack:
            click.echo(printable(remote.stack), err=True)
        if remote.seq is not None:
            click.echo(f"From the backend's script; entry {remote.seq} of its call log.", err=True)
        elif remote.read_at is not None:
            length = remote.read_at.head.length
            click.echo(f"From the backend's script; computed at {length} entries.", err=True)
        elif remote.hint:
            click.echo(printable(remote.hint), err=True)


def _as_json(error: NodeVMSError, remote: RemoteError | None) -> dict[str, object]:
    told: dict[str, object] = {"code": error.code, "message": str(error)}
    if remote is None:
        return {"error": told}
    told |= {"name": remote.name, "message": remote.message or remote.name}
    optional = {"errorCode": remote.error_code, "data": remote.data, "stack": remote.stack}
    told |= {name: value for name, value in optional.items() if value is not None}
    answer: dict[str, object] = {"error": told}
    if remote.seq is not None:
        answer["seq"] = remote.seq
    if remote.read_at is not None:
        from nodevms.rpc.read_at import encode_read_at

        answer["readonly"] = json.loads(encode_read_at(remote.read_at))
    return answer
