"""The algorithms behind the steps, one family per file under its standard name."""
