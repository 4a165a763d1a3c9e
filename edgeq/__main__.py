"""`python -m edgeq` is the shell command `edgeq`."""

from edgeq.cli import script

script()
