"""Why a limit on bytes failed, and what would help: of storage (`ways_out`), of memory (`memory`, `activations`)."""
