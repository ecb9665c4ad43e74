"""Why a limit on storage (`ways_out`) or memory (`memory`, `activations`) failed, and what would help."""
