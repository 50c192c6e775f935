"""Exchange rates: their distribution, the exposure to them, hedges."""
