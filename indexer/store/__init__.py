"""The SQLite read model. One writer; every change of a batch of blocks in one transaction."""
