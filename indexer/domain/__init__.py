"""Rules, pure: what a block means to us."""
