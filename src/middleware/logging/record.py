"""What is known of one request when its line is written."""

from __future__ import annotations

from _thread import get_ident
from functools import lru_cache

from middleware.headers import environ_key
from middleware.logging.privacy import MASK, PEER_KEY, USUAL
from middleware.networks import packed_address

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Self
    from wsgiref.types import WSGIEnvironment

    from middleware.logging.privacy import Privacy
    from middleware.wsgi import Response

USUAL_METHODS = ("GET", "POST", "HEAD", "PUT", "DELETE", "OPTIONS", "PATCH")
_USUAL_PROTOCOLS = ("HTTP/1.1", "HTTP/1.0", "HTTP/2.0", "HTTP/2")

# RFC 3986: what a path may hold as it is. A percent sign was decoded by the server, so it is encoded again.
_PATH = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~!$&'()*+,;=:@/"
_PERCENT = {byte: f"%{byte:02X}" for byte in range(0x100) if chr(byte) not in _PATH}


class AccessRecord:
    """One request and its answer, for a `format` function. Text is as WSGI has it: bytes as latin-1, not escaped.

    What is secret in it, as `privacy` says, its properties and methods show as `***`. Not so `request`, the environ as
    it arrived, a copy; `environ`, the one that the application had, as it is now; `headers`, `exception` and `notes`.
    `began`: arrival, in seconds since 1970; `duration`: seconds from arrival to `close()`; `first_byte`: seconds from
    arrival to the first chunk of the body that is not empty, or None.
    `status`: the final status as a number, 500 where an error left before a byte did (400 for a ClientGone), 0 where
    the application gave no number; `first_status`: the first that the application gave; `status_line` and `headers`:
    the answer's, as the server took them; `sent`: bytes of the body handed to the server.
    `aborted`: the client left before the answer was complete; `exception`: what the application raised, or None, and
    `error`: the name of its class.
    `slow`: it took longer than `Choice(slow=...)` says; `level_name` and `level`: what `Choice(levels=...)` says of the
    status, None and INFO where that says nothing.
    `request_id`, and `notes`: what the application wrote into `environ["middleware.notes"]`.
    """

    # What many requests never change stands on the class: less to do for each of them.
    status = 0
    head: Response | None = None  # the last that the server took
    first_head: Response | None = None  # the first that the application gave
    sent = 0
    first_byte: float | None = None
    duration = 0.0
    aborted = False
    error: str | None = None
    exception: BaseException | None = None
    slow = False
    level = 20  # INFO, as `logging` numbers levels
    level_name: str | None = None
    began = 0.0
    privacy: Privacy | None = USUAL  # None shows everything

    def __init__(
        self, request: WSGIEnvironment, environ: WSGIEnvironment, request_id: str, notes: dict[str, Any]
    ) -> None:
        self.request = request
        self.environ = environ
        self.request_id = request_id
        self.notes = notes

    def __repr__(self) -> str:
        return f"<AccessRecord {self.request_id} {self.status} {self.sent} bytes>"

    def header(self, name: str) -> str | None:
        """A header field of the answer, its lines joined by a comma, or None."""
        name = name.lower()
        privacy = self.privacy
        values = [
            value if privacy is None else privacy.header(name, value, self.began)
            for key, value in self.headers
            if key.lower() == name
        ]
        return ", ".join(values) if values else None

    def entry(self, key: str) -> str | None:
        """A text of the environ as it arrived, or None where there is none."""
        return self._shown(key, text_of(self.request.get(key)), self.request)

    def environ_entry(self, key: str) -> str | None:
        """A text of the environ as it is now; None where there is none, or something else."""
        value = self.environ.get(key)
        return self._shown(key, value, self.environ) if isinstance(value, str) else None

    def _shown(self, key: str, value: str | None, environ: WSGIEnvironment) -> str | None:
        privacy = self.privacy
        if value is None or privacy is None:
            return value
        # Most of what is asked for, and without a call: 0.2 us of 1.
        if (
            privacy.by_names
            and not ("=" in value or "@" in value or "%" in value)
            and not (key in privacy.keys or key.startswith("REDIRECT_"))
        ):
            return value
        if key in ("PATH_INFO", "PATH_TRANSLATED"):
            path = path_of(environ)  # which the user's function judges as a whole
            shown = privacy.path(path)
            if shown != path:
                return shown.removeprefix(text_of(environ.get("SCRIPT_NAME")) or "") if key == "PATH_INFO" else MASK
        return privacy.entry(key, value, self.began)

    def request_header(self, name: str) -> str | None:
        """A header field of the request, or None."""
        key = environ_key(name)
        value = self.entry(key)
        return value if value or key.startswith("HTTP_") else None  # the other two are empty where they are missing

    def cookie(self, name: str) -> str | None:
        """The first cookie of this name that the client sent, as it came, or None."""
        for pair in (text_of(self.request.get("HTTP_COOKIE")) or "").split(";"):
            key, separator, value = pair.partition("=")
            if separator and key.strip() == name:
                value = value.strip()
                return value if self.privacy is None else self.privacy.cookie(name, value)
        return None

    def masked(self, text: str) -> str:
        """A message, of an error for example, without the secrets in it."""
        return text if self.privacy is None else self.privacy.message(text)

    def note(self, name: str) -> object:
        """A note of the application, or of the log: `request_id`, `trace_id`, `span_id`, `aborted`, `error`."""
        if name == "aborted":
            return self.aborted
        return self.error if name == "error" else self.notes.get(name)

    def at_the_end(self) -> Self:
        """The same record, its request as the environ is now."""
        record = object.__new__(type(self))
        record.__dict__.update(self.__dict__)
        record.request = self.environ
        return record

    def usual(self) -> tuple[str | None, str | None, str, str, str, str | None, str | None] | None:
        """What nearly every line shows: client, user, method, target, protocol, referrer, browser.

        None where one of the first five is not what nearly every request has; then ask for each. (In one go, since by
        seven properties it takes 0.7 us more of the 4 us of a line.)
        """
        request = self.request
        get = request.get
        client = get("REMOTE_ADDR")
        user = self.environ.get("REMOTE_USER") or self.notes.get("user") or None
        method = get("REQUEST_METHOD")
        target = get("RAW_URI") or get("REQUEST_URI") or target_of(request)
        protocol = get("SERVER_PROTOCOL")
        referrer = get("HTTP_REFERER")
        agent = get("HTTP_USER_AGENT")
        if (
            method not in USUAL_METHODS
            or protocol not in _USUAL_PROTOCOLS
            or not (isinstance(client, str) and isinstance(target, str))
            or not (user is None or (isinstance(user, str) and user.isalnum()))
            or not (referrer is None or isinstance(referrer, str))
            or not (agent is None or isinstance(agent, str))
        ):
            return None
        address = ip_address(client)
        privacy = self.privacy
        if privacy is None:
            pass
        elif privacy.by_names:
            # Asked for here, since two calls that find nothing take 0.3 us: what has none of these three is plain.
            if "=" in target or "@" in target or "%" in target:
                target = privacy.url(target)
            if referrer and ("=" in referrer or "@" in referrer or "%" in referrer):
                referrer = privacy.url(referrer)
        else:
            address = self.client
            target = privacy.url(target)
            referrer, agent = self.referrer, self.user_agent
        return address, user, method, target, protocol, referrer, agent

    @property
    def first_status(self) -> int:
        return self.status if self.first_head is None else code_of(self.first_head.status)

    @property
    def status_line(self) -> str:
        return "" if self.head is None else str(self.head.status)  # a lax server takes a number too

    @property
    def headers(self) -> list[tuple[str, str]]:
        return [] if self.head is None else self.head.headers

    @property
    def method(self) -> str:
        return text_of(self.request.get("REQUEST_METHOD")) or "-"

    @property
    def protocol(self) -> str:
        return _protocol_of(self.request)[1]

    @property
    def target(self) -> str:
        """The URL of the request line: as the client sent it where the server tells, else put together again."""
        target = target_of(self.request)
        return target if self.privacy is None else self.privacy.url(target)

    @property
    def path(self) -> str:
        """SCRIPT_NAME and PATH_INFO, decoded as the server does it."""
        path = path_of(self.request)
        return path if self.privacy is None else self.privacy.path(path)

    @property
    def query(self) -> str:
        """What followed the question mark, "" for nothing."""
        return self.entry("QUERY_STRING") or ""

    @property
    def peer(self) -> str | None:
        """The address at the other end of the connection: a proxy's, where `client` was found behind one."""
        address = self.request.get(PEER_KEY)
        return self._address(address if address and isinstance(address, str) else self.request.get("REMOTE_ADDR"))

    @property
    def client(self) -> str | None:
        """The address of the peer, REMOTE_ADDR, without a zone; None where that is no IP address (a Unix socket)."""
        return self._address(self.request.get("REMOTE_ADDR"))

    def _address(self, text: object) -> str | None:
        address = ip_address(text) if isinstance(text, str) else None
        privacy = self.privacy
        if address is None or privacy is None or privacy.by_names:
            return address
        return privacy.address(address, self.began)

    @property
    def user(self) -> str | None:
        """REMOTE_USER as it is now, else the note `user`; never a name that nobody verified."""
        return text_of(self.environ.get("REMOTE_USER") or self.notes.get("user") or None)

    @property
    def referrer(self) -> str | None:
        return self.entry("HTTP_REFERER")

    @property
    def user_agent(self) -> str | None:
        return self.entry("HTTP_USER_AGENT")

    @property
    def ended(self) -> float:
        """When the answer ended, in seconds since 1970, by the time it took: a clock that was set moves nothing."""
        return self.began + self.duration

    @property
    def trace_id(self) -> str | None:
        return text_of(self.note("trace_id"))

    @property
    def span_id(self) -> str | None:
        return text_of(self.note("span_id"))

    @property
    def thread(self) -> int:
        """The thread that ends the answer, as `logging` numbers threads."""
        return get_ident()


def path_of(request: WSGIEnvironment) -> str:
    """SCRIPT_NAME and PATH_INFO."""
    return (text_of(request.get("SCRIPT_NAME")) or "") + (text_of(request.get("PATH_INFO")) or "")


def target_of(request: WSGIEnvironment) -> str:
    """The URL of the request line, as `AccessRecord.target` tells it."""
    uri = request.get("RAW_URI") or request.get("REQUEST_URI")
    if not (uri and isinstance(uri, str)):
        query = text_of(request.get("QUERY_STRING"))
        uri = path_of(request).translate(_PERCENT) or "/"
        uri = f"{uri}?{query}" if query else uri
    rest, _ = _protocol_of(request)
    return f"{uri} {rest}" if rest else uri


def _protocol_of(request: WSGIEnvironment) -> tuple[str, str]:
    """What of SERVER_PROTOCOL belongs to the URL, and the protocol.

    Where a client writes blanks into its URL, a server may take all that follows the first of them for the protocol.
    """
    rest, _, protocol = (text_of(request.get("SERVER_PROTOCOL")) or "").strip(" ").rpartition(" ")
    return rest, protocol or "-"


def text_of(value: object) -> str | None:
    # Servers put numbers and None into environ too; and what an application noted may have no text.
    try:
        return value if value is None or isinstance(value, str) else str(value)
    except Exception:  # noqa: BLE001 - one value that cannot be shown takes no line with it
        return None


@lru_cache(maxsize=64)
def code_of(status: str) -> int:
    """The number in a status line, 0 where it has none. Remembered (0.2 us less): few lines come again and again."""
    code = str(status).partition(" ")[0]
    return int(code) if len(code) == 3 and code.isascii() and code.isdigit() else 0


@lru_cache(maxsize=1024)
def ip_address(text: str) -> str | None:
    """`text` without its zone if it is an IP address, else None. Remembered: few peers make many requests."""
    address = text.partition("%")[0]
    return None if packed_address(address) is None else address
