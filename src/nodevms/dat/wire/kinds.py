"""The types of messages, by the number in a frame's header."""

from nodevms.dat.wire import messages

KINDS: tuple[type, ...] = (
    messages.Feed,
    messages.Handshake,
    messages.Info,
    messages.Have,
    messages.Unhave,
    messages.Want,
    messages.Unwant,
    messages.Request,
    messages.Cancel,
    messages.Data,
)
FEED, HANDSHAKE, EXTENSION = 0, 1, 15
