"""`python -m dvae_core` runs the command line."""

import sys

from dvae_core.cli import main

if __name__ == "__main__":
    sys.exit(main())
