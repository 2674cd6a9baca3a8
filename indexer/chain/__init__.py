"""The words of the chain: points, blocks, addresses, time. Knows nothing of Ogmios, SQLite or asyncio."""
