"""The report: figures, a JSON file and a page."""
