"""Builds the contracts: `protos/` to typed Python stubs in `gen/`, nothing of it committed.

The packaging build runs it as a hatchling hook; `python hatch_build.py` runs it alone, and
`python hatch_build.py --image FILE` writes the contracts as a descriptor set with comments, which
is what buf lints and compares. Third-party definitions come from installed packages: google.api and
google.rpc from googleapis-common-protos, buf.validate from the protovalidate wheel, which carries
the descriptor but no `.proto`.
"""

from __future__ import annotations

import argparse
import importlib.util
import os
import shutil
import sys
import tempfile
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

ROOT = Path(__file__).resolve().parent
VALIDATE = "buf/validate/validate.proto"
# Imported by the contracts' annotations, directly or not.
COMMON = (
    "google/api/annotations.proto",
    "google/rpc/error_details.proto",
    "google/rpc/status.proto",
)


def _package_directory(name: str) -> Path:
    spec = importlib.util.find_spec(name)
    if spec is None or not spec.submodule_search_locations:
        raise ModuleNotFoundError(f"{name} is needed to build the contracts; run `make setup`")
    return Path(next(iter(spec.submodule_search_locations)))


def _protoc(arguments: Sequence[str]) -> None:
    from grpc_tools import protoc

    # protoc finds its plugins beside the interpreter, which need not be on PATH.
    scripts = str(Path(sys.executable).parent)
    path = os.environ.get("PATH", "")
    os.environ["PATH"] = os.pathsep.join([scripts, path])
    try:
        status = protoc.main(["protoc", *arguments])
    finally:
        os.environ["PATH"] = path
    if status != 0:
        raise RuntimeError(f"protoc failed with status {status}")


def third_party_descriptors(out: Path) -> None:
    """Writes the descriptor set of every third-party file the contracts import."""
    from google.protobuf.descriptor_pb2 import FileDescriptorProto, FileDescriptorSet
    from protovalidate._gen.buf.validate import validate_pb

    googleapis = _package_directory("google.api").parent.parent
    well_known = _package_directory("grpc_tools") / "_proto"
    _protoc(
        [
            f"-I{googleapis}",
            f"-I{well_known}",
            "--include_imports",
            f"--descriptor_set_out={out}",
            *COMMON,
            "google/protobuf/field_mask.proto",
            "google/protobuf/timestamp.proto",
        ]
    )
    descriptors = FileDescriptorSet.FromString(out.read_bytes())
    validate = validate_pb.FieldPath.desc().file.proto.to_binary()
    descriptors.file.append(FileDescriptorProto.FromString(validate))
    out.write_bytes(descriptors.SerializeToString())


def _contracts(protos: Path) -> list[str]:
    return sorted(str(path.relative_to(protos)) for path in protos.rglob("*.proto"))


def generate(protos: Path, out: Path) -> None:
    """Generates messages, servicers and their types for the contracts into `out`."""
    with tempfile.TemporaryDirectory() as scratch:
        descriptors = Path(scratch) / "third_party.binpb"
        third_party_descriptors(descriptors)
        fresh = Path(scratch) / "gen"
        fresh.mkdir()
        common = [f"--descriptor_set_in={descriptors}"]
        contracts = _contracts(protos)
        _protoc(
            [
                *common,
                f"-I{protos}",
                f"--python_out={fresh}",
                f"--mypy_out=quiet:{fresh}",
                f"--grpc_python_out={fresh}",
                f"--mypy_grpc_out=quiet:{fresh}",
                *contracts,
            ]
        )
        _protoc([*common, f"--python_out={fresh}", f"--mypy_out=quiet:{fresh}", VALIDATE])
        _mark_packages(fresh)
        if out.exists():
            shutil.rmtree(out)
        shutil.copytree(fresh, out)


def _mark_packages(out: Path) -> None:
    directories: Iterable[Path] = {
        parent for path in out.rglob("*.py") for parent in path.parents if parent != out
    }
    for directory in directories:
        if directory.is_relative_to(out):
            (directory / "__init__.py").touch()
    for package in out.iterdir():
        (package / "py.typed").touch()


def write_image(protos: Path, out: Path) -> None:
    """Writes the contracts with their comments and imports as one descriptor set."""
    with tempfile.TemporaryDirectory() as scratch:
        descriptors = Path(scratch) / "third_party.binpb"
        third_party_descriptors(descriptors)
        out.parent.mkdir(parents=True, exist_ok=True)
        _protoc(
            [
                f"--descriptor_set_in={descriptors}",
                f"-I{protos}",
                "--include_imports",
                "--include_source_info",
                f"--descriptor_set_out={out}",
                *_contracts(protos),
            ]
        )
        _mark_imports(out, set(_contracts(protos)))


def _mark_imports(image: Path, own: set[str]) -> None:
    """Tells buf which files are imports, so that it judges ours only.

    A descriptor set becomes a buf image by the field 8042 (`buf_extension`) of each file, whose
    field 1 is `is_import`: https://github.com/bufbuild/buf/blob/main/proto/buf/alpha/image/v1/image.proto
    """
    from google.protobuf.descriptor_pb2 import FileDescriptorSet

    is_import = b"\xd2\xf6\x03\x02\x08\x01"  # tag (8042 << 3 | 2), length 2, field 1 = true
    files = FileDescriptorSet.FromString(image.read_bytes()).file
    for file in files:
        if file.name not in own:
            file.MergeFromString(is_import)
    image.write_bytes(FileDescriptorSet(file=files).SerializeToString())


class ContractsBuildHook(BuildHookInterface[Any]):
    """Generates the stubs before hatchling collects the files."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Generates `gen/` and, for a wheel, places its packages at the top level."""
        out = Path(self.root) / "gen"
        generate(Path(self.root) / "protos", out)
        if version != "editable":
            for package in out.iterdir():
                build_data["force_include"][str(package)] = package.name


def main() -> None:
    """Command line: generates the stubs, or an image for buf."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("--protos", type=Path, default=ROOT / "protos", help="contracts to build")
    parser.add_argument("--image", type=Path, help="write a descriptor set here and no stubs")
    parser.add_argument("--out", type=Path, default=ROOT / "gen", help="where the stubs go")
    arguments = parser.parse_args()
    if arguments.image:
        write_image(arguments.protos.resolve(), arguments.image)
    else:
        generate(arguments.protos.resolve(), arguments.out.resolve())


if __name__ == "__main__":
    main()
