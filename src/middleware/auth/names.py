"""Names of users, in one spelling each: the username profiles of PRECIS (RFC 8265, section 3). Pure, no I/O.

What names beyond ASCII have to obey is in `precis`, which loads, with the tables of Unicode, where there is one.
"""

from __future__ import annotations

LONGEST = 255  # characters, as for Apache's htpasswd


def normal_name(user: str, *, case_map: bool = False) -> str | None:
    """The one spelling of a name (RFC 8265, UsernameCasePreserved); None for what is no name.

    Full-width letters are as their plain ones, and composed letters as those with marks; `case_map` makes capitals
    small (UsernameCaseMapped). Spaces, control and invisible characters, ligatures and symbols beyond ASCII are in no
    name, nor is a mixture of directions that would be displayed in another order. A name has at most 255 characters.
    """
    if not 0 < len(user) <= LONGEST:
        return None
    if user.isascii():
        if " " in user or not user.isprintable():
            return None
        return user.lower() if case_map else user
    from middleware.auth.precis import identifier

    return identifier(user, case_map=case_map)
