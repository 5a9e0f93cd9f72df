"""What benchmarks say while they work, where no terminal is."""

import pytest

from benchmarks.shared.progress import progress


def test_a_line_for_each_piece_of_work(capsys: pytest.CaptureFixture[str]) -> None:
    with progress(2) as announce:
        announce("drift [0.1], 288 / 32")
        assert capsys.readouterr().err == "1/2 drift [0.1], 288 / 32\n"
        announce("timing")
    assert capsys.readouterr() == ("", "2/2 timing\n")
