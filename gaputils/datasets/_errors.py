"""What goes wrong when data or weights have to be fetched and cannot be."""

from __future__ import annotations


class DataUnavailable(OSError):
    """Something had to come from the network or from a folder, and is in neither.

    The message says what was wanted, where it was looked for, and where to put it.
    """
