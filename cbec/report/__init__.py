"""A result -> terminal, HTML, Markdown; can be drawn again from disk."""
