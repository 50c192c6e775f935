"""Shipments, lanes, legs."""
