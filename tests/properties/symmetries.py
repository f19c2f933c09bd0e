"""What may be done to all rows at once, and why an answer need not follow.

The tests of a closing say in `SYMMETRIES` what the first three do to both sides that it returns: a
line a closing, the letter of their axis (`p` if they move with the rows, `d` if they stay), the
power of a common factor by which they grow, and reasons for what does not hold, which are held to
it. A shift by the difference of medians would say

    SYMMETRIES = [(closing.MedianShift(), "p", 1, {TURN: COORDINATES})]

as medians move and grow with the rows, but do not turn with them. A reason is one of those
below or a sentence of one's own.
"""

from __future__ import annotations

TURN, MOVE, SCALE = "turn both sides", "move both sides", "scale everything"
QUERIES, GALLERY, PAIRS = "reorder the queries", "reorder the gallery", "reorder the pairs"

DRAWN = "the noise is drawn for the items and coordinates as they come"
ANGLES = "angles are seen from the origin"
ORIGIN = "it goes to the point of the hull that is nearest to the origin"
SPHERE = "rows are put on the unit sphere about the origin"
COORDINATES = "each coordinate is treated by itself"
PLACES = "rows are drawn by their place"
MATCHES = "of as many items as queries, row i is not scored with query i"
MIXED = "some of the measures are lengths and some are ratios"
