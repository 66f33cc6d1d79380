"""Single flight: of many requests that miss one answer, one calls the application."""
