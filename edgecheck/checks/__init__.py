"""What a check is and how it is done: planned, converted, run, measured, judged."""
