"""The domain's values as messages of the contract, and requests as values."""
