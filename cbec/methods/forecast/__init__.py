"""Demand forecasting and inventory decisions."""
