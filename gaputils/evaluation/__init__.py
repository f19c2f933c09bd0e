"""What closing is worth: closings compared, curves, the report."""
