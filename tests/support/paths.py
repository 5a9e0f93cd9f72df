"""Where things are: the project, and the folder beside it with recordings, which is not everywhere."""

from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
SHARED = ROOT.parent / "shared"
