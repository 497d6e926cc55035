"""What a method's path looks like."""

from __future__ import annotations

import re

METHOD = re.compile(r"/[A-Za-z_][\w]*(?:\.[A-Za-z_]\w*)+/[A-Za-z_]\w*", re.ASCII)
"""`/package.Service/Method`."""
