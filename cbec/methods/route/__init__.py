"""Rate cards, departures, transit as a distribution, and the expected cost of a way."""
