"""Counts what a model does in the emulated machine: a plugin for QEMU, its record, and cycles of the hot blocks."""
