"""How the server starts: light, on a stdout of its own, and never with a stranger's packages."""

import subprocess
import sys

from raw_client import ROOT, environment


def python(code, **options):
    return subprocess.run(
        [sys.executable, "-c", code],
        env=environment(),
        capture_output=True,
        text=True,
        timeout=60,
        **options,
    )


def test_the_language_server_loads_no_torch():
    heavy = "{'torch', 'numpy', 'tokenizers', 'transformers', 'safetensors'}"
    code = f"""
import sys, lsp_server.main, lsp_server.server
from lsp_server.features import code_actions, code_lenses, commands, inline_completion
print(sorted({heavy} & sys.modules.keys()))
"""
    assert python(code).stdout == "[]\n"


def test_a_stranger_s_engine_package_is_refused_and_not_run(tmp_path):
    stranger = tmp_path / "engine"
    stranger.mkdir()
    (stranger / "__init__.py").write_text("raise SystemExit('the stranger ran')")
    code = f"""
import sys
sys.path.insert(0, {str(ROOT)!r})
import lsp_server.main
sys.path.insert(0, {str(tmp_path)!r})
sys.exit(lsp_server.main.run(None))
"""
    done = python(code, stdin=subprocess.DEVNULL)
    assert done.returncode == 2
    assert "engine: not the one installed with Diffill" in done.stderr
    assert "the stranger ran" not in done.stderr
    assert done.stdout == ""


def test_it_starts_silently_and_ends_with_its_client():
    code = "import sys, lsp_server.main; sys.exit(lsp_server.main.run(None))"
    done = python(code, stdin=subprocess.DEVNULL)
    assert (done.returncode, done.stdout) == (1, "")
