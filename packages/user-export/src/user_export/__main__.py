"""``python -m user_export``."""

import sys

from user_export.cli import main

if __name__ == "__main__":
    sys.exit(main())
