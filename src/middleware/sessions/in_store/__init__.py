"""Sessions that are kept in a store: how requests that overlap write them, end them, and find those of a user."""
