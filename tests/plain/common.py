"""What all sections share: the way to reject, varints, and logarithms of whole numbers (sections 1, 2 and 7)."""


class Rejected(Exception):  # noqa: N818 (the document's word)
    """The file is damaged, or needs a newer decoder."""


def require(condition: bool, what: str) -> None:
    """Reject unless the condition holds."""
    if not condition:
        raise Rejected(what)


def clip(value: int, low: int, high: int) -> int:
    """The nearest number in low..high."""
    return low if value < low else high if value > high else value


def toward_zero(value: int, by: int) -> int:
    """The quotient, rounded towards zero."""
    return value // by if value >= 0 else -(-value // by)


def floor_log2(value: int) -> int:
    """floor(log2 value), value >= 1."""
    return value.bit_length() - 1


def varint(data: bytes, at: int, end: int) -> tuple[int, int]:
    """An unsigned LEB128 integer of at most four bytes, and where it ends."""
    value = 0
    for count in range(4):
        require(at + count < end, "a varint is cut off")
        byte = data[at + count]
        value |= (byte & 127) << 7 * count
        if byte < 128:
            require(byte > 0 or count == 0, "a varint is not canonical")
            return value, at + count + 1
    raise Rejected("a varint is too long")


def log2_fixed(x: int) -> int:
    """About 1024 log2 x, x >= 1."""
    e = floor_log2(x)
    return 1024 * e + (x >> e - 10 if e > 10 else x << 10 - e) - 1024


def signed_log(x: int) -> int:
    """A logarithm with a sign, 0 at 0."""
    size = log2_fixed(abs(x) + 1024) - 10240
    return size if x > 0 else -size
