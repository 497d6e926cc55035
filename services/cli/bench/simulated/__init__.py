"""Model servers without models: they answer the contracts, and take as long as real ones took."""
