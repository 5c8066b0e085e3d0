"""`python -m examples.code_audit`."""

import sys

from examples.code_audit.main import main

# The process pool's children import this module too.
if __name__ == "__main__":
    sys.exit(main())
