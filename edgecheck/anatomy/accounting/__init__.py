"""Which bytes of a file belong to what: every byte is claimed once, so that the sums are exact."""
