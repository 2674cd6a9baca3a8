"""The Kupo face of the devnet: an index of outputs that follows the chain, and Kupo v2.12's HTTP interface to it."""
