"""Suppliers: how they kept their word, and how long their goods take."""
