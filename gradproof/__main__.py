"""``python -m gradproof``."""

import sys

from gradproof.cli import main

sys.exit(main())
