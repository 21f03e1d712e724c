"""Questions to the ledger, and how answers look."""
