"""Who claims which bytes of which file, so that they add up."""
