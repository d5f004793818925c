"""The files: the authenticated state and the Dat drive that publishes it (hyperdrive)."""

from nodevms.archive.contents import ContentStore, FeedContents, StoredContents, read_content
from nodevms.archive.drive import Drive, DriveChange
from nodevms.archive.drive_check import DriveChecker, DrivePublication, publications
from nodevms.archive.drive_errors import BadDriveError, NotInDriveError
from nodevms.archive.drive_writer import DriveWriter, create_drive
from nodevms.archive.errors import (
    FilesError,
    InvalidChangesError,
    InvalidPathError,
    LimitExceededError,
    ProofError,
    UnknownVersionError,
)
from nodevms.archive.files import ArchiveInfo, FileApi
from nodevms.archive.index_file import remove_index
from nodevms.archive.overlay import Overlay
from nodevms.archive.paths import canonical_path
from nodevms.archive.pieces import content_pieces
from nodevms.archive.proof import StateProof, verify_proof
from nodevms.archive.publication import PublicationPlanner, Published
from nodevms.archive.publisher import Publisher
from nodevms.archive.record import Change, HistoryItem, PendingChange, Record, Totals, Value
from nodevms.archive.state import State
from nodevms.archive.state_at import StateAt
from nodevms.archive.temporary_contents import TemporaryContents
from nodevms.archive.tree import EMPTY_ROOT
from nodevms.archive.tree_scan import SparseBlocks, TreeScan

__all__ = [
    "EMPTY_ROOT",
    "ArchiveInfo",
    "BadDriveError",
    "Change",
    "ContentStore",
    "Drive",
    "DriveChange",
    "DriveChecker",
    "DrivePublication",
    "DriveWriter",
    "FeedContents",
    "FileApi",
    "FilesError",
    "HistoryItem",
    "InvalidChangesError",
    "InvalidPathError",
    "LimitExceededError",
    "NotInDriveError",
    "Overlay",
    "PendingChange",
    "ProofError",
    "PublicationPlanner",
    "Published",
    "Publisher",
    "Record",
    "SparseBlocks",
    "State",
    "StateAt",
    "StateProof",
    "StoredContents",
    "TemporaryContents",
    "Totals",
    "TreeScan",
    "UnknownVersionError",
    "Value",
    "canonical_path",
    "content_pieces",
    "create_drive",
    "publications",
    "read_content",
    "remove_index",
    "verify_proof",
]
