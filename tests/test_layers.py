"""The arrows between the layers, read from the imports and tried in fresh processes."""

import ast
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
TORCH_FREE = (
    *("__init__", "client", "protocol", "errors", "catalogue", "fetch", "family"),
    *("families", "recognition", "hub", "hub_fetch", "footprint", "shape", "shapes", "config"),
    *("gemma_shape", "folders", "pages"),
    *("place", "shared", "transport", "remotes", "secret"),
)
PACKAGES = ("grammars", "engine", "lsp_server", "editor_clients/command_line")
SHIPPED = [path for package in PACKAGES for path in sorted((ROOT / package).rglob("*.py"))]
HEAVY = {"torch", "numpy", "gguf", "tokenizers", "safetensors", "transformers"}


def imports(path):
    """Every module a file names, those imported lazily or for types too."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0 and node.module
            found.add(node.module)
            found |= {f"{node.module}.{alias.name}" for alias in node.names}
    return found


def tops(path):
    return {name.partition(".")[0] for name in imports(path)}


def of(package):
    return [path for path in SHIPPED if path.is_relative_to(ROOT / package)]


def name_of(path):
    return path.relative_to(ROOT).as_posix()


@pytest.mark.parametrize("path", of("grammars"), ids=name_of)
def test_grammars_import_only_the_standard_library_and_tree_sitter(path):
    others = {
        name
        for name in tops(path) - sys.stdlib_module_names - {"grammars"}
        if not name.startswith("tree_sitter")
    }
    assert others == set()


@pytest.mark.parametrize("path", of("engine"), ids=name_of)
def test_the_engine_knows_no_protocol_of_editors(path):
    assert not tops(path) & {"lsprotocol", "pygls", "lsp_server", "editor_clients"}


@pytest.mark.parametrize("path", of("lsp_server"), ids=name_of)
def test_the_server_knows_the_engine_by_its_client_alone(path):
    allowed = {
        *("__version__", "client", "protocol", "errors"),
        *("catalogue", "fetch", "family", "folders"),
    }
    modules = {name.split(".")[1] for name in imports(path) if name.startswith("engine.")}
    assert modules <= allowed
    assert not tops(path) & {*HEAVY, "editor_clients"}


@pytest.mark.parametrize("name", TORCH_FREE)
def test_modules_for_clients_need_no_torch(name):
    path = ROOT / "engine" / name
    for file in path.glob("*.py") if path.is_dir() else [path.with_suffix(".py")]:
        assert not tops(file) & HEAVY
        modules = {found.split(".")[1] for found in imports(file) if found.startswith("engine.")}
        assert modules <= {*TORCH_FREE, "__version__"}


@pytest.mark.parametrize("path", of("editor_clients/command_line"), ids=name_of)
def test_the_command_line_leaves_torch_to_the_engine(path):
    assert not tops(path) & {"torch", "transformers", "gguf"}


@pytest.mark.parametrize(
    ("module", "unwanted"),
    [
        ("engine.client", {*HEAVY, "pygls", "rich", "lsprotocol"}),
        ("engine.fetch", HEAVY),
        ("engine.server", HEAVY),
        ("engine.remote_filler", HEAVY),
        ("lsp_server", {*HEAVY, "pygls"}),
        ("lsp_server.server", HEAVY),
        ("editor_clients.command_line.main", {*HEAVY, "pygls", "lsprotocol", "rich"}),
    ],
)
def test_importing_loads_little(module, unwanted):
    script = f"import sys, {module}; print(*sys.modules)"
    done = subprocess.run(
        [sys.executable, "-P", "-c", script],
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=True,
    )
    loaded = set(done.stdout.split())
    assert module in loaded
    assert not loaded & unwanted


def test_help_loads_little():
    script = (
        "import sys; from editor_clients.command_line.main import main; "
        "code = main(['--help']); print('loaded:', *sys.modules); sys.exit(code)"
    )
    done = subprocess.run(
        [sys.executable, "-P", "-c", script],
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert not set(done.stdout.rpartition("loaded:")[2].split()) & {*HEAVY, "pygls", "rich"}


def test_names_say_what_a_module_is_for():
    vague = {"utils", "util", "common", "helpers", "helper", "misc"}
    assert [name_of(p) for p in SHIPPED if vague & {p.stem, *p.parts}] == []


@pytest.mark.parametrize("path", SHIPPED, ids=name_of)
def test_nothing_reads_what_could_run(path):
    source = path.read_text("utf-8")
    assert (
        re.findall(r"trust_remote_code|torch\.load\b|\bpickle\b|\bjoblib\b|\beval\(", source) == []
    )
    assert not tops(path) & {"pickle", "dill", "joblib", "marshal", "shelve"}
