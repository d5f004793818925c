"""A drive in a folder: checked out, interrupted and continued, brought up to date."""

from nodevms.dat.clone.checkout import Checkout, ContentFeed, Need
from nodevms.dat.clone.cloning import Cloning
from nodevms.dat.clone.fetching import BYTES_MAX, CloneLimits, Fetching, FollowedFeed
from nodevms.dat.clone.header import NotADriveError
from nodevms.dat.clone.listing import ENTRIES_MAX
from nodevms.dat.clone.place import ClonePlace
from nodevms.dat.clone.records import OnProgress, Progress, Range, Result, Skipped

__all__ = [
    "BYTES_MAX",
    "ENTRIES_MAX",
    "Checkout",
    "CloneLimits",
    "ClonePlace",
    "Cloning",
    "ContentFeed",
    "Fetching",
    "FollowedFeed",
    "Need",
    "NotADriveError",
    "OnProgress",
    "Progress",
    "Range",
    "Result",
    "Skipped",
]
