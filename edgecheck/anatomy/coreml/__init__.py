"""Core ML packages: a program, and its weight files."""
