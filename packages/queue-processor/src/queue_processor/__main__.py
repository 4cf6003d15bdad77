import sys

from queue_processor.cli import main

sys.exit(main())
