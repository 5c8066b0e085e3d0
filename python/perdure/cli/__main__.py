"""`python -m perdure.cli`, for where the program is not on the path."""

import sys

from perdure.cli._front import main

# A process pool's children import this module too.
if __name__ == "__main__":
    sys.exit(main())
