"""Signed tokens of a small session, beside the serializer that most use, kept as ours is."""

from __future__ import annotations

import hashlib
import json

from itsdangerous import URLSafeTimedSerializer

from benchmarks.method import Case, Row
from middleware.signing import Signer

SECRET = "benchmark secret, 32 bytes long."
SALT = "benchmark"
DATA = {"user": "alice", "cart": [17, 4, 2024], "csrf": "f3b1c2d4e5a69788"}

encode = json.JSONEncoder(separators=(",", ":"), ensure_ascii=False).encode
decode = json.JSONDecoder().decode


def rows() -> list[Row]:
    ours = Signer(SECRET, salt=SALT)
    peer = URLSafeTimedSerializer(SECRET, salt=SALT, signer_kwargs={"digest_method": hashlib.sha256})
    token = ours.sign(encode(DATA).encode())
    peers_token = peer.dumps(DATA)

    def verify() -> object:
        opened = ours.unsign(token)
        assert opened is not None
        return decode(opened[0].decode())

    def check_ours() -> None:
        assert verify() == peer.loads(token) == DATA
        forged = token[:-1] + ("A" if token[-1] != "A" else "B")
        assert ours.unsign(forged) is None

    def check_peer() -> None:
        assert peer.loads(peers_token) == DATA
        assert ours.unsign(peers_token.decode() if isinstance(peers_token, bytes) else peers_token) is not None

    return [
        Row(
            "token, sign",
            Case("sign", lambda: ours.sign(encode(DATA).encode()), check_ours),
            Case("URLSafeTimedSerializer", lambda: peer.dumps(DATA), check_peer),
            target=0.40,
        ),
        Row(
            "token, verify",
            Case("verify", verify, check_ours),
            Case("URLSafeTimedSerializer", lambda: peer.loads(peers_token), check_peer),
            target=0.55,
        ),
    ]
