import sys

from user_export.cli import main

sys.exit(main())
