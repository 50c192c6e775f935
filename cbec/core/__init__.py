"""What every step stands on: declarations, contracts, files, settings, errors, money, the runner."""
