"""What is added to a Set-Cookie line on its way out. Pure; it never takes away, weakens or reorders.

A line that is not understood goes on as it is. (One with a control character is for nobody, and does not get here.)
"""

from __future__ import annotations

from middleware.cookies.codec import prefix_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from middleware.cookies.options import SameSite


def taken_apart(line: str) -> tuple[str, str]:
    """The name of the cookie that a Set-Cookie line sets, empty where it has none, and the attributes behind `;`."""
    pair, _, attributes = line.partition(";")
    name, equals, _ = pair.partition("=")
    return name.strip(" \t") if equals else "", attributes


def attribute_names(attributes: str) -> set[str]:
    """The names of the attributes, in lower case."""
    return {part.partition("=")[0].strip(" \t").lower() for part in attributes.split(";")}


def missing(name: str, attributes: str, *, secure: bool, httponly: bool, samesite: SameSite) -> str:
    """What to append to a line of this name with these attributes: Secure, HttpOnly and SameSite where it lacks them.

    `secure`: add Secure, and to a name with the prefix `__Host-` the Path=/ that it asks for. `httponly`: add HttpOnly.
    `samesite`: the value for a line that gives none. A line without a name gets nothing. The value of the cookie is no
    part of the question, so that one answer serves many lines.
    """
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
