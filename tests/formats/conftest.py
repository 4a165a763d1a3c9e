"""Let the tests of this folder import the script that makes the vectors."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
