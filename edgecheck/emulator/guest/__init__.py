"""What runs inside of the machine: the initramfs's script, the init, and what warms it up."""
