"""What caches are told about an answer: for whom it is, and whether anybody may keep it. Values in, values out."""

from __future__ import annotations

from middleware.headers import members, restricted_to_private

TYPE_CHECKING = False
if TYPE_CHECKING:
    from middleware.wsgi import Response

# Fields that outdo Cache-Control in one cache or another (RFC 9213, and what came before it).
_OUTDO_CACHE_CONTROL = (
    "CDN-Cache-Control",
    "Cloudflare-CDN-Cache-Control",
    "Netlify-CDN-Cache-Control",
    "Vercel-CDN-Cache-Control",
    "X-LiteSpeed-Cache-Control",
    "Surrogate-Control",
    "Edge-Control",
    "X-Accel-Expires",
)

# Fields that say who may keep an answer, or for whom it is.
TOLD_TO_CACHES = frozenset({"vary", "cache-control", *(name.lower() for name in _OUTDO_CACHE_CONTROL)})

PRIVATE = ("Cache-Control", "private")

_MAY_BE_SHARED = frozenset({"public", "s-maxage", "must-revalidate"})  # RFC 9111, section 3.5


def is_public(response: Response) -> bool:
    """Whether the application said that caches may share this answer, though somebody is identified."""
    return not _MAY_BE_SHARED.isdisjoint(map(_name, _said(response)))


def make_private(response: Response) -> bool:
    """Make this an answer for one client. Whether the application had said something else."""
    if (response.get("Cache-Control") or "").count('"') % 2:  # it may say no-store
        keep_out_of_caches(response)
        return False
    said = _said(response)
    kept = [member for member in said if _name(member) not in ("public", "s-maxage")]
    response.set("Cache-Control", restricted_to_private(", ".join(kept) or None))
    _remove_what_outdoes(response)
    return len(kept) < len(said)


def _said(response: Response) -> list[str]:
    said = response.get("Cache-Control") or ""
    return [] if said.count('"') % 2 else members(said)  # a quoted string that does not end would swallow the rest


def _name(directive: str) -> str:
    return directive.partition("=")[0].strip(" \t").lower()


def keep_out_of_caches(response: Response) -> None:
    """Make this an answer that no cache keeps."""
    response.set("Cache-Control", "no-store")
    _remove_what_outdoes(response)


def _remove_what_outdoes(response: Response) -> None:
    for name in _OUTDO_CACHE_CONTROL:
        response.remove(name)
