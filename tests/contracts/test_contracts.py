"""The contracts themselves: linted, documented, comparable, buildable two ways."""

from __future__ import annotations

import importlib
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

from services.runtime.errors import DOMAIN, InvalidField, Overloaded, to_status

ROOT = Path(__file__).resolve().parents[2]
PROTOS = sorted((ROOT / "protos").rglob("*.proto"))
ENVIRONMENT = {**os.environ, "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}


def build(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, str(ROOT / "hatch_build.py"), *arguments],
        capture_output=True,
        text=True,
        check=False,
        env=ENVIRONMENT,
    )


def test_the_contracts_pass_the_standard_lint_without_exceptions() -> None:
    result = build("--breaking-against", "")
    assert result.returncode == 0, result.stdout + result.stderr
    configuration = (ROOT / "buf.yaml").read_text()
    assert "STANDARD" in configuration
    assert "except" not in configuration
    assert "ignore" not in configuration


@pytest.mark.slow
def test_a_field_that_changes_its_type_breaks_the_check(tmp_path: Path) -> None:
    for path in (ROOT / "protos").rglob("*.proto"):
        target = tmp_path / path.relative_to(ROOT)
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(path.read_bytes())
    (tmp_path / "buf.yaml").write_bytes((ROOT / "buf.yaml").read_bytes())
    git = ["git", "-C", str(tmp_path), "-c", "user.name=t", "-c", "user.email=t@example.org"]
    for step in (["init", "--quiet"], ["add", "."], ["commit", "--quiet", "-m", "before"]):
        subprocess.run([*git, *step], check=True)
    arguments = ("--protos", str(tmp_path / "protos"), "--breaking-against", "HEAD")
    assert build(*arguments).returncode == 0
    contract = tmp_path / "protos/viva/llm/v1/llm.proto"
    text = contract.read_text()
    contract.write_text(text.replace("  string text = 1;", "  bytes text = 1;"))
    result = build(*arguments)
    assert result.returncode != 0
    assert 'changed type from "string" to "bytes"' in result.stdout


@pytest.mark.slow
def test_buf_generates_the_stubs_that_the_build_generates(tmp_path: Path) -> None:
    assert build("--out", str(tmp_path / "built")).returncode == 0
    image = tmp_path / "viva.binpb"
    assert build("--image", str(image)).returncode == 0
    subprocess.run(
        ["buf", "generate", str(image), "--output", str(tmp_path)],
        check=True,
        cwd=ROOT,
        env=ENVIRONMENT,
    )
    built = sorted((tmp_path / "built/viva").glob("*/v1/*_pb2*.py*"))
    assert len(built) == 4 * len(PROTOS)
    for path in built:
        generated = tmp_path / "gen" / path.relative_to(tmp_path / "built")
        assert generated.is_file(), path.name
        # A message module holds its serialised descriptor, which buf orders in its own way.
        if not path.name.endswith("_pb2.py"):
            assert generated.read_bytes() == path.read_bytes(), path.name


@pytest.mark.parametrize("path", PROTOS, ids=lambda path: path.stem)
def test_the_stubs_of_a_contract_import(path: Path) -> None:
    name = ".".join(path.relative_to(ROOT / "protos").with_suffix("").parts)
    module = importlib.import_module(f"{name}_pb2")
    importlib.import_module(f"{name}_pb2_grpc")
    assert module.DESCRIPTOR.package == ".".join(name.split(".")[:-1])


def test_the_descriptor_set_alone_reads_what_a_refusal_says(tmp_path: Path) -> None:
    image = tmp_path / "viva.binpb"
    assert build("--image", str(image)).returncode == 0
    pool = descriptor_pool.DescriptorPool()
    for file in descriptor_pb2.FileDescriptorSet.FromString(image.read_bytes()).file:
        pool.Add(file)
    refused = to_status(InvalidField("text", "is empty"))
    refused.MergeFrom(to_status(Overloaded("as many as there may be", 2.0)))

    def read(name: str, content: bytes) -> Any:
        return message_factory.GetMessageClass(pool.FindMessageTypeByName(name)).FromString(content)

    told = read("google.rpc.Status", refused.SerializeToString()).details
    named = {each.TypeName(): read(each.TypeName(), each.value) for each in told}
    assert named["google.rpc.BadRequest"].field_violations[0].field == "text"
    assert named["google.rpc.RetryInfo"].retry_delay.seconds == 2
    assert named["google.rpc.ErrorInfo"].domain == DOMAIN


def test_every_answer_of_a_model_server_carries_stats(tmp_path: Path) -> None:
    image = tmp_path / "viva.binpb"
    assert build("--image", str(image)).returncode == 0
    files = descriptor_pb2.FileDescriptorSet.FromString(image.read_bytes()).file
    messages = {
        f".{file.package}.{message.name}": message
        for file in files
        for message in file.message_type
    }

    def reaches_stats(name: str, seen: frozenset[str] = frozenset()) -> bool:
        if name == ".viva.serving.v1.Stats":
            return True
        if name not in messages or name in seen:
            return False
        return any(reaches_stats(f.type_name, seen | {name}) for f in messages[name].field)

    model_servers = {"viva.asr.v1", "viva.tts.v1", "viva.llm.v1", "viva.embed.v1"}
    work = [
        method
        for file in files
        if file.package in model_servers
        for service in file.service
        for method in service.method
        if not method.name.startswith("List")
    ]
    assert len(work) == 9
    assert [m.name for m in work if not reaches_stats(m.output_type)] == []


def test_the_stubs_take_no_top_level_name_but_viva(tmp_path: Path) -> None:
    assert build("--out", str(tmp_path)).returncode == 0
    assert [path.name for path in tmp_path.iterdir()] == ["viva"]


@pytest.mark.slow
def test_stubs_that_are_up_to_date_are_left_to_those_who_import_them(tmp_path: Path) -> None:
    def built() -> dict[Path, int]:
        assert build("--out", str(tmp_path / "gen")).returncode == 0
        return {path: path.stat().st_mtime_ns for path in (tmp_path / "gen").rglob("*.py")}

    first = built()
    assert built() == first
    changed = next(path for path in first if path.name == "asr_pb2.py")
    changed.write_text("")
    again = built()
    assert again.keys() == first.keys()
    assert changed.read_text()
