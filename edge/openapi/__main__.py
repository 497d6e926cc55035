"""`python -m edge.openapi --image FILE --out FILE`: writes the document. The build does."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from google.protobuf.descriptor_pb2 import FileDescriptorSet

from edge.envoy.contracts import contracts
from edge.openapi.comments import comments
from edge.openapi.document import document


def main() -> None:
    """Writes the document."""
    parser = argparse.ArgumentParser(prog="python -m edge.openapi", description=__doc__)
    parser.add_argument("--image", type=Path, required=True, help="descriptor set with comments")
    parser.add_argument("--out", type=Path, required=True, help="where the document goes")
    parser.add_argument("--version", default="0", help="of the program")
    arguments = parser.parse_args()
    said = comments(FileDescriptorSet.FromString(arguments.image.read_bytes()).file)
    written = document(contracts(), said, arguments.version)
    arguments.out.write_text(json.dumps(written, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
