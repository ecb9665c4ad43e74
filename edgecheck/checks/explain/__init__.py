"""Why a limit on bytes does not hold, and what would help."""
