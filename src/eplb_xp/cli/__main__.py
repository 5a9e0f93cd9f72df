"""``python -m eplb_xp.cli``."""

import sys

from eplb_xp.cli import main

sys.exit(main())
