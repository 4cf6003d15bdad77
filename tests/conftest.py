"""The suite across the packages also tests the scripts that guard them."""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.append(str(Path(__file__).resolve().parent.parent / ".github" / "scripts"))
