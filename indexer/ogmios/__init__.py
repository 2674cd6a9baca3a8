"""Ogmios' chain-sync: its text, its state machine, and the sieve that spares us most of the reading."""
