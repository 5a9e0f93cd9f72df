"""Numbers that look drawn, of numbers below 2^31."""


def hashed(x: int) -> int:
    x %= 2**31
    for shift, factor in ((16, 0x45D9F3B), (15, 0x2C1B3C6D), (16, 1)):
        x = (x ^ x >> shift) * factor % 2**31
    return x


def mixed_order(number: int) -> list[int]:
    """The numbers below in an order that looks drawn."""
    return sorted(range(number), key=lambda i: hashed(hashed(i + 1)) >> 8)
