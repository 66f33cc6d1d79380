"""What a login with a form is made of: its pages and paths, what the session keeps, and remember-me."""
