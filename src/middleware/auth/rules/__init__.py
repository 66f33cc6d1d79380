"""Who may come where: a rule as a value, the readings of a path, and the table that finds the rule of a request."""
