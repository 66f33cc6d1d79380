"""What apr1 and the SHA crypts share: rounds that mix secret, salt and digest, and an alphabet of their own."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from typing import Protocol

    class Hash(Protocol):
        """An algorithm of hashlib at work."""

        def update(self, data: bytes, /) -> None: ...
        def digest(self) -> bytes: ...

    Algorithm = Callable[[bytes], Hash]

ALPHABET = "./0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
_LETTERS = frozenset(ALPHABET)
# A round takes the secret before or after the digest by whether its number is odd, the salt unless it is divisible by
# three, the secret once more unless it is by seven. So 42 rounds are a cycle: 21 pairs of an even and an odd one.
_PAIRS = 21


def is_spelled(text: str, length: int) -> bool:
    """Whether `text` has this length, in letters of the alphabet."""
    return len(text) == length and _LETTERS.issuperset(text)


def mix(algorithm: Algorithm, digest: bytes, secret: bytes, salt: bytes, rounds: int) -> bytes:
    """`rounds` rounds on `digest`."""
    constant = [
        (salt if number % 3 else b"") + (secret if number % 7 else b"") for number in range(2 * _PAIRS)
    ]  # what stands in the middle
    pairs = [(constant[even] + secret, secret + constant[even + 1]) for even in range(0, 2 * _PAIRS, 2)]
    whole, rest = divmod(rounds, 2 * _PAIRS)
    for _ in range(whole):
        for after, before in pairs:
            digest = algorithm(before + algorithm(digest + after).digest()).digest()
    for after, before in pairs[: rest // 2]:
        digest = algorithm(before + algorithm(digest + after).digest()).digest()
    if rest % 2:
        digest = algorithm(digest + pairs[rest // 2][0]).digest()
    return digest


def spell(digest: bytes, order: Iterable[tuple[int, int, int]], length: int) -> str:
    """The bytes of `digest` in `order`, three in four letters, the lowest bits first; -1 stands for a zero byte."""
    padded = digest + b"\0"
    letters = []
    for high, middle, low in order:
        bits = padded[high] << 16 | padded[middle] << 8 | padded[low]
        letters += [ALPHABET[bits >> shift & 63] for shift in (0, 6, 12, 18)]
    return "".join(letters[:length])
