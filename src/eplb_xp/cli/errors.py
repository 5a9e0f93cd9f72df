"""What ends a command with one line and exit code 2."""


class UserError(Exception):
    """A file, a size or an option that can't be used; the message says what would work."""


def one_line(text: str) -> str:
    """A text from anywhere, as a terminal can show it in one line."""
    return " ".join("".join(letter if letter.isprintable() else " " for letter in text).split())
