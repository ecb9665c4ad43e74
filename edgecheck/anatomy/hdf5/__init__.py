"""HDF5, and the archives in which Keras wraps it."""
