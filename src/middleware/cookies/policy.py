"""What is added to a Set-Cookie line on its way out. Pure; it never takes away, weakens or reorders.

A line that is not understood goes on as it is; one with a control character is no line at all (RFC 6265bis, section 5:
browsers drop the whole field).
"""

from __future__ import annotations

from middleware.cookies.codec import has_control, prefix_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Container

    from middleware.cookies.options import SameSite


def taken_apart(line: str) -> tuple[str, str]:
    """The name of the cookie that a Set-Cookie line sets, empty where it has none, and the attributes behind `;`."""
    pair, _, attributes = line.partition(";")
    name, equals, _ = pair.partition("=")
    return name.strip(" \t") if equals else "", attributes


def attribute_names(attributes: str) -> set[str]:
    """The names of the attributes, in lower case."""
    return {part.partition("=")[0].strip(" \t").lower() for part in attributes.split(";")}


def hardened(
    line: str, *, secure: bool, httponly: bool, samesite: SameSite, readable: Container[str] = ()
) -> str | None:
    """The line with Secure, HttpOnly and SameSite where it lacks them; None where it must not go out.

    `secure`: add Secure. `httponly`: add HttpOnly, but not to a cookie named in `readable`, which scripts may read.
    `samesite`: the value for a line that gives none. A line of the prefix `__Host-` that lacks Path=/ gets it.
    """
    if has_control(line):
        return None
    name, rest = taken_apart(line)
    return line + missing(name, rest, secure=secure, httponly=httponly and name not in readable, samesite=samesite)


def missing(name: str, attributes: str, *, secure: bool, httponly: bool, samesite: SameSite) -> str:
    """What `hardened` appends to a line with these attributes. A function of little that differs between lines."""
    if not name:
        return ""
    given = attribute_names(attributes)
    added = ""
    if secure and "path" not in given and "domain" not in given and (prefix_of(name) or "").startswith("__host-"):
        added += "; Path=/"
    if secure and "secure" not in given:
        added += "; Secure"
    if httponly and "httponly" not in given:
        added += "; HttpOnly"
    if "samesite" not in given and (samesite != "None" or secure or "secure" in given):
        added += f"; SameSite={samesite}"
    return added


def asks_for_https(name: str, attributes: str) -> bool:
    """Whether a browser keeps this cookie over https only: it is Secure, or its prefix asks for that."""
    return "secure" in attribute_names(attributes) or prefix_of(name) is not None
