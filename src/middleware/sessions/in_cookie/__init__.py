"""Sessions that are kept in the cookie, signed or sealed, and what ends them before their time."""
