"""The command line, called in this process."""

from __future__ import annotations

from typer.testing import CliRunner

from gaputils.cli.commands import app

EMBED = ["embed", "tiny-openmoji", "emoji10", "--shard-size", "300", "--template", "{}"]


def run(*arguments: object, code: int = 0):
    result = CliRunner().invoke(app, [str(a) for a in arguments])
    assert result.exit_code == code, result.output + result.stderr
    return result
