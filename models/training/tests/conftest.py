"""Makes the package importable from the source tree, and keeps it to one thread: threads that wait for each other spin."""

import os
import sys
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")
sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
