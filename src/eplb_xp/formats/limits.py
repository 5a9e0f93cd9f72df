"""What a file may claim to hold, looked at before any of it is read."""

import zipfile

from eplb_xp.formats.fields import UnfitError

# Beyond so many bytes, a part of an archive may be so many times as large as it is compressed. The most that there can
# be is 1032 times, of zeros alone; counts are 3 to 20 times, and those of mostly idle experts 50.
LARGE = 2**28
MOST_TIMES = 256


def check_part(part: zipfile.ZipInfo) -> None:
    """Refuse a part of an archive that is next to nothing and claims to be large."""
    if part.file_size > max(LARGE, MOST_TIMES * part.compress_size):
        raise UnfitError(
            f"{part.filename} says that it is {part.file_size} bytes, of {part.compress_size} compressed ones: more "
            f"than {MOST_TIMES} times as many are not read beyond {LARGE}"
        )
