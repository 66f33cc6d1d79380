"""The forms in which servers and proxies hand a client certificate on, read into its DER. Needs no extra.

The rule: one certificate in one of these forms, in full, or nothing.

- PEM, as SSL_CLIENT_CERT of mod_ssl, cheroot and werkzeug has it, also with its lines joined by tabs or spaces, as
  nginx's `$ssl_client_cert` and a header field have it
- the same percent-encoded: nginx's `$ssl_client_escaped_cert`
- a Byte Sequence: the field Client-Cert (RFC 9440)
- the base64 of the DER alone
"""

from __future__ import annotations

from binascii import a2b_base64

from middleware.cookies.percent import unquoted

LONGEST = 1 << 16  # characters: room for the largest keys and for signatures that a quantum computer cannot forge

_BEGIN = "-----BEGIN CERTIFICATE-----"
_END = "-----END CERTIFICATE-----"
_BLANKS = dict.fromkeys(map(ord, " \t\r\n"))


def der_of(text: str) -> bytes | None:
    """The DER of the certificate that `text` hands on; None where it is no certificate, or more than one."""
    if len(text) > LONGEST:
        return None
    text = text.strip(" \t\r\n")
    if text.startswith("-----BEGIN%"):
        text = (unquoted(text) or "").strip(" \t\r\n")
    if text.startswith(_BEGIN) and text.endswith(_END):
        return _decoded(text[len(_BEGIN) : -len(_END)].translate(_BLANKS))
    if text.startswith(":"):
        return _decoded(text[1:-1]) if text.endswith(":") else None
    return _decoded(text)


def _decoded(base64: str) -> bytes | None:
    """The bytes; None for what is empty or not exactly base64, a second PEM block for one."""
    try:
        return a2b_base64(base64, strict_mode=True) or None
    except ValueError:
        return None
