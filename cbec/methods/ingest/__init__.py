"""Raw exports into canonical tables: layouts, their application, data quality."""
