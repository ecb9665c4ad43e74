"""Why a limit on storage or memory (`ways_out`, `activations`) failed, and what would help."""
