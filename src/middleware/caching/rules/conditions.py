"""The conditions of a request, held against a stored answer (RFC 9110, section 13). Values in, values out."""

from __future__ import annotations

from middleware.headers import etag_matches, parse_http_date

_LONGEST = 1 << 14  # characters of a list of entity tags; a longer one matches nothing


def not_modified(
    if_none_match: str | None, if_modified_since: str | None, etag: str | None, modified: int | None, now: float
) -> bool:
    """Whether the client has the stored 200 already (RFC 9110, section 13.2.2).

    `modified` is its Last-Modified or, without one, its Date, in seconds. If-None-Match alone counts where it is sent.
    """
    if if_none_match is not None:
        return len(if_none_match) <= _LONGEST and etag_matches(etag, if_none_match)
    if if_modified_since is None or modified is None:
        return False
    since = parse_http_date(if_modified_since, now)
    return since is not None and since >= modified


def range_applies(
    if_range: str | None, etag: str | None, last_modified: str | None, date: str | None, now: float
) -> bool:
    """Whether a range may be cut out of a stored answer with these fields (RFC 9110, section 13.1.5).

    Without If-Range it may. An entity tag must be strong, and the same; a date must be that of a Last-Modified which
    is strong itself, at least a second before Date.
    """
    if if_range is None:
        return True
    given = if_range.strip(" \t")
    if given.startswith('"'):
        return given == etag and is_strong(etag)
    if last_modified is None or date is None:
        return False
    since = parse_http_date(given, now)
    made = parse_http_date(date, now)
    return since is not None and since == parse_http_date(last_modified, now) and made is not None and since < made


def is_strong(etag: str | None) -> bool:
    """Whether this is an entity tag, and a strong one."""
    return etag is not None and len(etag) > 1 and etag[0] == etag[-1] == '"' and '"' not in etag[1:-1]
