"""What runs inside the machine: the script of the initramfs, the init, and the imports that warm it up."""
