"""cbec: decisions with their money effect from the exports of a cross-border seller."""

__version__ = "0.1.0"
