"""`System.files` on the host's side: one request in, one answer out (host API 1, operation 1).

The bytes are `nodevms.archive.file_requests`', the rules `file_rules`', the prices `file_gas`'.
An answer is a function of the request, the files and the call's time: no clock, no randomness, and
nothing of where the host keeps its bytes. What is refused is an answer too, with the name and
message of the Error that the script sees.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from nodevms.archive import file_gas as gas
from nodevms.archive.errors import (
    ArchiveFullError,
    BadArgumentError,
    FilesError,
    LimitExceededError,
    ListingTooLargeError,
    MalformedRequestError,
    ReadOnlyError,
)
from nodevms.archive.file_lookups import Charge
from nodevms.archive.file_requests import (
    OK,
    Request,
    Scalar,
    answer_content,
    answer_error,
    answer_value,
    parse_request,
    truthy,
)
from nodevms.archive.file_rules import FileRules
from nodevms.archive.overlay import Overlay
from nodevms.archive.record import NUMBER_MAX, HistoryItem, Record

FILE_MODE = 0o100644
FOLDER_MODE = 0o040755
HISTORY_ITEMS_MAX = 1_000


@dataclass(frozen=True, slots=True)
class ArchiveInfo:
    """What `getInfo` says of the archive besides its version; fixed by the log's first entry.

    Attributes:
        url: ``dat://`` and the drive's key in hex.
        title: As the operator named it, or an empty string.
    """

    url: str
    title: str

    @property
    def key(self) -> str:
        """The drive's key in hex."""
        return self.url.removeprefix("dat://")


class FileApi:
    """Answers one call's file requests.

    Args:
        overlay: The call's view of the files.
        info: For `getInfo`.
        readonly: Answer every request for a change with a ReadOnlyError.
    """

    def __init__(self, overlay: Overlay, info: ArchiveInfo, *, readonly: bool = False) -> None:
        self._overlay = overlay
        self._info = info
        self._readonly = readonly

    def handle(self, request: bytes, charge: Charge) -> bytes:
        """Do one operation and return its answer.

        A call that goes over the overlay's limits is answered with a QuotaExceededError and does
        nothing more; `Overlay.check_limits` and `Overlay.commit` then raise, so that it is undone
        whatever the script makes of the answer. What would make all files together too much is
        refused with the same name, and nothing else comes of it.

        Args:
            request: Any bytes.
            charge: Takes gas before the work is done; what it raises ends the operation. Changes
                that were made before stay in the overlay.

        Raises:
            StorageError: The host's own files failed.
        """
        charge(gas.REQUEST + gas.REQUEST_BYTE * len(request))
        try:
            parsed = parse_request(request)
            operation = _OPERATIONS.get(parsed.name)
            if operation is None or (parsed.data is None) == (parsed.name == "writeFile"):
                raise MalformedRequestError("the file request is malformed")
            if self._readonly and parsed.name in _CHANGING:
                raise ReadOnlyError(f"a read-only call cannot change files ({parsed.name})")
            return operation(self, FileRules(self._overlay, charge), parsed)
        except (ArchiveFullError, ListingTooLargeError) as error:
            return answer_error(error.name, str(error), error.code)
        except FilesError as error:
            return answer_error(error.name, str(error))
        except LimitExceededError as error:
            return answer_error("QuotaExceededError", str(error), error.code)

    def _read_file(self, rules: FileRules, request: Request) -> bytes:
        return answer_content(rules.read_file(request.text(0)))

    def _write_file(self, rules: FileRules, request: Request) -> bytes:
        rules.write_file(request.text(0), request.data or b"")
        return OK

    def _stat(self, rules: FileRules, request: Request) -> bytes:
        return answer_value(stat_of(rules.stat(request.text(0))))

    def _readdir(self, rules: FileRules, request: Request) -> bytes:
        options = request.options(1)
        stat = truthy(options.get("stat"))
        listed = rules.list_folder(
            request.text(0), recursive=truthy(options.get("recursive")), stat=stat
        )
        if stat:
            return answer_value(
                [{"name": name, "stat": stat_of(record)} for name, record in listed]
            )
        return answer_value([name for name, _ in listed])

    def _mkdir(self, rules: FileRules, request: Request) -> bytes:
        rules.make_folder(request.text(0))
        return OK

    def _unlink(self, rules: FileRules, request: Request) -> bytes:
        rules.remove_file(request.text(0))
        return OK

    def _rmdir(self, rules: FileRules, request: Request) -> bytes:
        recursive = truthy(request.options(1).get("recursive"))
        rules.remove_folder(request.text(0), recursive=recursive)
        return OK

    def _copy(self, rules: FileRules, request: Request) -> bytes:
        rules.copy(request.text(0), request.text(1))
        return OK

    def _rename(self, rules: FileRules, request: Request) -> bytes:
        rules.rename(request.text(0), request.text(1))
        return OK

    def _exists(self, rules: FileRules, request: Request) -> bytes:
        return answer_value(rules.exists(request.text(0)))

    def _history(self, rules: FileRules, request: Request) -> bytes:
        options = request.options(0)
        path = options.get("path")
        if path is not None and not isinstance(path, str):
            raise BadArgumentError("a path must be a string")
        start = _whole_number(options, "start", 0)
        end = _whole_number(options, "end", NUMBER_MAX)
        limit = min(_whole_number(options, "limit", HISTORY_ITEMS_MAX), HISTORY_ITEMS_MAX)
        items = rules.history(path, start, end, reverse=truthy(options.get("reverse")), limit=limit)
        return answer_value([_history_item(item) for item in items])

    def _get_info(self, _rules: FileRules, _request: Request) -> bytes:
        info = self._info
        return answer_value(
            {
                "url": info.url,
                "key": info.key,
                "title": info.title,
                "version": self._overlay.state.version,
                "isOwner": True,
            }
        )


def stat_of(record: Record) -> dict[str, int]:
    """Return the members of a stat: hyperdrive's, as far as they follow from the log."""
    return {
        "mode": FILE_MODE if record.kind == "file" else FOLDER_MODE,
        "size": record.size,
        "blocks": record.blocks,
        "mtime": record.mtime_ms,
        "ctime": record.mtime_ms,
    }


def _history_item(item: HistoryItem) -> dict[str, object]:
    kind = "del" if item.record is None else "put"
    return {"version": item.version, "path": item.path, "type": kind}


def _whole_number(options: dict[str, Scalar], name: str, default: int) -> int:
    """Return an option that is a number, brought into range; absent and null are the default."""
    value = options.get(name)
    if value is None:
        return default
    if isinstance(value, bool) or not isinstance(value, int | float) or value != value // 1:
        raise BadArgumentError(f"{name} must be a whole number")
    return int(min(max(value, 0), NUMBER_MAX))


_CHANGING = frozenset({"writeFile", "mkdir", "unlink", "rmdir", "copy", "rename"})
_OPERATIONS: dict[str, Callable[[FileApi, FileRules, Request], bytes]] = {
    "readFile": FileApi._read_file,
    "writeFile": FileApi._write_file,
    "stat": FileApi._stat,
    "readdir": FileApi._readdir,
    "mkdir": FileApi._mkdir,
    "unlink": FileApi._unlink,
    "rmdir": FileApi._rmdir,
    "copy": FileApi._copy,
    "rename": FileApi._rename,
    "exists": FileApi._exists,
    "history": FileApi._history,
    "getInfo": FileApi._get_info,
}
