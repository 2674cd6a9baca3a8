"""The loops of the daemon."""
