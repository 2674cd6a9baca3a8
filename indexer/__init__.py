"""Milestone indexer: follows Cardano through Ogmios into an SQLite read model."""

__version__ = "0.1.0"
