"""What the layer answers in place of the application, and what it tells caches."""
