"""A lock around the parsing of numpy headers, for Python before 3.11.8."""

import threading

# Held while numpy reads an array's header, which it parses as Python: before 3.11.8, threads that parse at once may end
# in "SystemError: AST constructor recursion depth mismatch" (CPython gh-106905; met with 20 visitors of one server).
PARSING = threading.Lock()
