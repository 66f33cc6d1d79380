"""Programs that show the toolkit at work."""
