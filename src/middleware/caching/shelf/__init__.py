"""What is stored, found, kept and removed, in any store."""
