"""The range decoder (section 6)."""

from .common import require

MASK = 2**64 - 1


class RangeDecoder:
    """Symbols of a stream of 32-bit words."""

    def __init__(self, data: bytes) -> None:
        self.data, self.moves, self.read = data, 0, 0
        self.lower, self.range = 0, MASK
        self.point = self.word() << 32
        self.point |= self.word()

    def word(self) -> int:
        """The next word; zero bytes behind the end."""
        four = self.data[self.read : self.read + 4]
        self.read += 4
        return int.from_bytes(four + bytes(4 - len(four)), "big")

    def symbol(self, sums: list[int]) -> int:
        """A symbol of K with the sums of frequencies 0, f_0, f_0 + f_1, .. 2^16."""
        count = len(sums) - 1
        scale = self.range >> 24
        x = (self.point - self.lower & MASK) // scale
        require(x < 2**24, "no symbol")

        def begin(j: int) -> int:
            return 2**24 if j == count else sums[j] * (2**24 - count) // 2**16 + j

        low, high = 0, count
        while high - low > 1:
            middle = (low + high) // 2
            low, high = (middle, high) if begin(middle) <= x else (low, middle)
        first = begin(low)
        self.lower = self.lower + scale * first & MASK
        self.range = scale * (begin(low + 1) - first)
        if self.range < 2**32:
            self.lower = self.lower << 32 & MASK
            self.range <<= 32
            self.point = (self.point << 32 & MASK) | self.word()
            self.moves += 1
            require(4 * self.moves <= len(self.data) + 16, "the stream ends too early")
        return low

    def bit(self, ones: int) -> int:
        """A bit with so many ones of 2^16."""
        return self.symbol([0, 2**16 - ones, 2**16])

    def raw(self, count: int = 1) -> int:
        """Raw bits, the most significant one first."""
        number = 0
        for _ in range(count):
            number = 2 * number + self.bit(2**15)
        return number

    def excesses(self, count: int) -> list[int]:
        """The excesses of so many escapes."""
        classes, alive = [0] * count, list(range(count))
        for _ in range(20):
            alive = [i for i in alive if self.raw()]
            for i in alive:
                classes[i] += 1
        x = [2**c for c in classes]
        for k in range(max(classes, default=0)):
            for i in range(count):
                if classes[i] > k:
                    x[i] += self.raw() << k
        return [value - 1 for value in x]

    def end(self) -> None:
        """Nothing may follow."""
        require(len(self.data) <= 4 * self.moves + 8, "the stream goes on")
