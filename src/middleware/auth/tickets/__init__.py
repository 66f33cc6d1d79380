"""Tickets of mod_auth_tkt: text and back (pure), how long they are good (pure), their cookie, and what peers expect."""

from middleware.auth.tickets.codec import DIGESTS, Read, Ticket, read_ticket, write_ticket

__all__ = ["DIGESTS", "Read", "Ticket", "read_ticket", "write_ticket"]
