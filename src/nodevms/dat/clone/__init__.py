"""A drive in a folder: checked out, interrupted and continued, brought up to date."""

from nodevms.dat.clone.checkout import Checkout, ContentFeed, Need
from nodevms.dat.clone.listing import ENTRIES_MAX
from nodevms.dat.clone.place import ClonePlace
from nodevms.dat.clone.records import OnProgress, Progress, Range, Result, Skipped

__all__ = [
    "ENTRIES_MAX",
    "Checkout",
    "ClonePlace",
    "ContentFeed",
    "Need",
    "OnProgress",
    "Progress",
    "Range",
    "Result",
    "Skipped",
]
