"""What Digest authentication is made of (RFC 7616): credentials, responses, targets, nonces and their counts."""
