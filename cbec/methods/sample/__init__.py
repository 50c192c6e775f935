"""The sample company, one file per family of tables."""
