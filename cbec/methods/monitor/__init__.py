"""Monitors: stock against what it should be."""
