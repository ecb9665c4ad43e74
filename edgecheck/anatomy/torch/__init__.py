"""Torch's files: checkpoints old and new, TorchScript, exported programs, safetensors."""
