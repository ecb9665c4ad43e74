"""Pickles, joblib and skops: objects and arrays, read without executing anything."""
