"""From a record to a line of JSON. Imported where it is asked for: `json` has its price."""

from __future__ import annotations

import json

from middleware.logging.formats.ecs import fields

TYPE_CHECKING = False
if TYPE_CHECKING:
    from middleware.logging.record import AccessRecord

_encode = json.JSONEncoder(ensure_ascii=True, allow_nan=False, separators=(",", ":")).encode


def json_line(record: AccessRecord) -> str:
    """One object of printable ASCII, under the names of the Elastic Common Schema."""
    # json.dumps leaves DEL as it is, which is ASCII and not printable.
    return _encode(fields(record)).replace("\x7f", "\\u007f")
