"""What our contract writes on the chain: Plutus Data, its CBOR, our datums and redeemers, the blueprint. Pure."""
