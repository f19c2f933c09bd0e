"""What goes wrong when data or weights have to be fetched and cannot be."""

from __future__ import annotations
