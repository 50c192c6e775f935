"""Textbook models of one item's stock, exact where theory is: the vectors that the batch methods are tested against."""
