"""The face that the devnet shows as Ogmios: chain-sync, submission, queries, mempool, health; by WebSocket or HTTP."""
