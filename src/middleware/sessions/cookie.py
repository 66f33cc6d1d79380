"""The session's cookie: where its value is found in a request, and the Set-Cookie lines that give it another.

A value that is too long for one cookie goes in chunks, where the layer was told so: the first says how many there are,
and their names are the cookie's own with `.1`, `.2` and so on.
"""

from __future__ import annotations

from middleware.cookies.codec import LARGEST, values_of
from middleware.operators import say_once

TYPE_CHECKING = False
if TYPE_CHECKING:
    from middleware.cookies.options import CookieOptions

LOGGER = "middleware.sessions"
MOST_CHUNKS = 20  # browsers keep 50 cookies of a site at least (RFC 6265bis, section 6.1)
MUCH = 8192  # bytes of cookies, above which many servers refuse the request
_COUNTED = "~"  # between the number of chunks and the first of them; no id and no token has it


class SessionCookie:
    """Name and attributes of the cookie, over https or not. `most`: chunks that it may be cut into.

    A ValueError where no browser would keep it.
    """

    def __init__(self, options: CookieOptions, *, secure: bool, most: int = 1) -> None:
        name = options.name
        if name is None:
            prefix = "__Host-" if options.path == "/" and options.domain is None else "__Secure-"
            name = f"{prefix}id" if secure else "id"
        self.name = name
        self.most = most
        self.line = options.line(name, secure)
        self._chunks = [options.line(f"{name}.{number}", secure) for number in range(1, most)]

    @property
    def room(self) -> int:
        """The longest value."""
        if self.most == 1:
            return LARGEST - len(self.name)
        return sum(self._rooms())

    @property
    def limit(self) -> str:
        """How much has room, in words."""
        most = len(self.name) + self.room
        return f"browsers keep {most}" if self.most == 1 else f"in {self.most} cookies there is room for {most}"

    def is_in(self, field: str) -> bool:
        """Whether a Cookie field has it, whatever its value is worth."""
        return bool(self.values(field, 1))

    def values(self, field: str, most: int) -> list[str]:
        """The values that a Cookie field has for it, without a pair of quotes round them; the first `most`."""
        values = values_of(field, self.name, most)
        for index, value in enumerate(values):
            if value[:1] == '"' == value[-1:]:
                values[index] = value[1:-1]
            if self.most > 1 and _COUNTED in value[:3]:
                values[index] = self._joined(field, values[index])
        return values

    def lines(self, value: str, *, max_age: int | None = None, instead_of: str = "") -> list[str]:
        """The Set-Cookie lines that give it this value, or delete it for an empty one.

        `max_age`: seconds, in place of what its options say. `instead_of`: the Cookie field of the request, which tells
        what chunks there are to be deleted.
        """
        if self.most == 1:
            return [self.line.setting_checked(value, max_age) if value else self.line.deletion]
        chunks = self._cut(value)
        if len(value) > MUCH:
            say_once(
                f"the session's cookies have more than {MUCH} bytes together, which many servers refuse: "
                "keep less in it, or use store=",
                logger=LOGGER,
            )
        lines = [
            line.setting_checked(chunk, max_age)
            for line, chunk in zip([self.line, *self._chunks], chunks, strict=False)
        ]
        if not value:
            lines.append(self.line.deletion)
        surplus = self._chunks[max(len(chunks) - 1, 0) :]
        return lines + [line.deletion for line in surplus if f"{line.name}=" in instead_of]

    def _rooms(self) -> list[int]:
        counting = len(f"{self.most}{_COUNTED}")
        return [LARGEST - len(self.name) - counting, *(LARGEST - len(line.name) for line in self._chunks)]

    def _cut(self, value: str) -> list[str]:
        if len(value) <= LARGEST - len(self.name):
            return [value] if value else []
        chunks = []
        for room in self._rooms():
            if value:
                chunks.append(value[:room])
                value = value[room:]
        chunks[0] = f"{len(chunks)}{_COUNTED}{chunks[0]}"
        return chunks

    def _joined(self, field: str, first: str) -> str:
        """The whole value; empty where a chunk is missing. (One that was exchanged is found out by the signature.)"""
        count, _, value = first.partition(_COUNTED)
        if not (count.isascii() and count.isdigit() and 1 < int(count) <= self.most):
            return ""
        for line in self._chunks[: int(count) - 1]:
            found = values_of(field, line.name, 1)
            if not found:
                return ""
            value += found[0]
        return value
