"""What tells one format from another in the first bytes of a file."""
