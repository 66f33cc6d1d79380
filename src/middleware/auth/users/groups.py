"""The lines of a group file of Apache, `group: name name`: each group is a role of its members. Pure: no I/O."""

from __future__ import annotations

from middleware.auth.names import normal_name

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable


def roles_in(lines: Iterable[str], *, case_map: bool = False) -> dict[str, list[str]]:
    """The roles of each user, by the one spelling of the name."""
    roles: dict[str, list[str]] = {}
    for line in lines:
        group, colon, members = line.partition(":")
        if not colon or group.lstrip().startswith("#"):
            continue
        for member in members.split():
            name = normal_name(member, case_map=case_map)
            if name is not None:
                roles.setdefault(name, []).append(group.strip())
    return roles
