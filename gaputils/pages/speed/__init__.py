"""The page on speed: rivals, timing and peaks of memory."""
