"""CoreML's packages: a program, and its weight files."""
