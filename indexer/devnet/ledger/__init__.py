"""The ledger of the devnet: what a transaction says, whether Conway's rules allow it, and what it changes."""
