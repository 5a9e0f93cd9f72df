"""The bits of a float32."""

EXPONENT = 0xFF << 23
TWICE_ONE = 2 * (0x7F << 23)  # exponents are stored from that of 1.0 on, so an exponent and its negative add up to it
