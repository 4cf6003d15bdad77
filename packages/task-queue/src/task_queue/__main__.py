"""``python -m task_queue``."""

from task_queue.cli import main

raise SystemExit(main())
