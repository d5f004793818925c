"""The ledger: Dat v1 feeds (hypercore), on disk and in proofs."""

from nodevms.feed.audit import audit_feed
from nodevms.feed.errors import (
    FeedDamagedError,
    FeedFalseError,
    FeedIOError,
    FeedUncheckedError,
    FeedUnprovedError,
    NoBlockError,
)
from nodevms.feed.feed import BATCH_BLOCKS_MAX, BATCH_BYTES_MAX, BLOCK_BYTES_MAX, Feed
from nodevms.feed.files import FileSystem, OSFiles, RandomAccessFile, open_plain, read_start
from nodevms.feed.fork_files import keep_evidence, known_fork, read_evidence
from nodevms.feed.forks import ForkEvidence
from nodevms.feed.heads import EMPTY_HEAD, ForkError, Head, check_extends, verify_head
from nodevms.feed.journal import Journal
from nodevms.feed.keys import KeyPair, dat_url, discovery_key, parse_dat_url, verify_signature
from nodevms.feed.merkle import Node, root_hash
from nodevms.feed.partial import PartialFeed
from nodevms.feed.proofs import Proof, verify_proof

__all__ = [
    "BATCH_BLOCKS_MAX",
    "BATCH_BYTES_MAX",
    "BLOCK_BYTES_MAX",
    "EMPTY_HEAD",
    "Feed",
    "FeedDamagedError",
    "FeedFalseError",
    "FeedIOError",
    "FeedUncheckedError",
    "FeedUnprovedError",
    "FileSystem",
    "ForkError",
    "ForkEvidence",
    "Head",
    "Journal",
    "KeyPair",
    "NoBlockError",
    "Node",
    "OSFiles",
    "PartialFeed",
    "Proof",
    "RandomAccessFile",
    "audit_feed",
    "check_extends",
    "dat_url",
    "discovery_key",
    "keep_evidence",
    "known_fork",
    "open_plain",
    "parse_dat_url",
    "read_evidence",
    "read_start",
    "root_hash",
    "verify_head",
    "verify_proof",
    "verify_signature",
]
