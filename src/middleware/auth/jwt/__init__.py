"""Signed tokens (JWT): read, checked before any cryptography, and verified with keys that rotate."""
