"""Encodings that several formats share: zip archives, compressed streams, protocol buffers, flatbuffers, JSON."""
