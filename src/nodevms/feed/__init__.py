"""The ledger: Dat v1 feeds (hypercore), on disk and in proofs."""
