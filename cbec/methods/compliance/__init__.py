"""Dated rules: packs, compilation to interval tables, tax."""
