"""The command line."""

from gaputils.cli.commands import app

__all__ = ["app"]
