"""One backend: script, entries, queue and call execution."""

from nodevms.vm.call_log import CallLog, EntryProof
from nodevms.vm.dat_archive import DatArchive
from nodevms.vm.dat_archive_values import DatArchiveInfo, FileStat
from nodevms.vm.exports import CallError, Exports
from nodevms.vm.limits import Limits
from nodevms.vm.requests import Answer, Method
from nodevms.vm.script import Script, read_script
from nodevms.vm.vm import VM

__all__ = [
    "VM",
    "Answer",
    "CallError",
    "CallLog",
    "DatArchive",
    "DatArchiveInfo",
    "EntryProof",
    "Exports",
    "FileStat",
    "Limits",
    "Method",
    "Script",
    "read_script",
]
