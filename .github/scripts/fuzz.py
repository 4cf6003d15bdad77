"""Let Schemathesis try what nobody has listed: the fake user API against its own OpenAPI document.

`hatch run contract:fuzz` serves the fake on loopback and runs Schemathesis, in an environment of its own that uv makes,
against /openapi.json. Further arguments go to Schemathesis, e.g. ``--max-examples 200``.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile

UV = os.environ.get("HATCH_UV") or shutil.which("uv") or "uv"
SCHEMATHESIS = "schemathesis~=4.32"


def main(arguments: list[str]) -> int:
    serve = [sys.executable, "-m", "shared_testing.fakes", "--port", "0", "--users", "300"]
    with subprocess.Popen(serve, stdout=subprocess.PIPE, text=True) as fake, tempfile.TemporaryDirectory() as folder:
        try:
            # The first line is the URL.
            url = fake.stdout.readline().strip() if fake.stdout is not None else ""
            fuzz = [UV, "tool", "run", "--from", SCHEMATHESIS, "schemathesis", "run", f"{url}/openapi.json"]
            # In a folder of its own: it leaves files behind.
            return subprocess.run([*fuzz, *arguments], cwd=folder, check=False).returncode
        finally:
            fake.terminate()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
