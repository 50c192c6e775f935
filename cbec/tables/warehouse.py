"""Sites, bins, moves."""
