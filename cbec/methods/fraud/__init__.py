"""Payment fraud: causal features, a score without labels, a trained score, decisions by expected cost."""
