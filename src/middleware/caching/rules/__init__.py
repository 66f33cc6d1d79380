"""What a shared cache may store, for how long, and for whom (RFC 9111). Values in, values out, time as an argument."""
