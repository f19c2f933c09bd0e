"""What closing is worth: comparisons, curves, the report."""
