"""What the documents show of a command's output is what the command prints.

`pytest --update tests/end_to_end/test_console.py` writes it anew. A block of the kind `console`
holds commands behind `$ `, each with all that it prints; times, speeds and shares may differ,
and which calls and steps it took: the engine may know the file already, and processors round
differently, so that other drafts hold, and a token that was half sure is worth a word or not.
"""

import re
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = [pytest.mark.model, pytest.mark.usefixtures("model_file")]

ROOT = Path(__file__).parents[2]
DOCUMENTS = (ROOT / "README.md", ROOT / "editor_clients/command_line/README.md")
BLOCK = re.compile(r"(?<=^```console\n)(.*?)(?=^```$)", re.MULTILINE | re.DOTALL)
DIFFERING = re.compile(
    r"\d+ (?:forward calls|steps)|\d+\.\d+ s, \d+\.\d+ tokens/s|\d+%|^  least sure of .*\n"
    r"|(?<=sure on average\n)(?: +(?:\d+  |…).*\n)* +\d+(?=  )",  # all steps but the last's text
    re.MULTILINE,
)


def rerun(block):
    """Return a block with its commands' output of today."""
    shown = ""
    for command in re.findall(r"^\$ (.*)$", block.group(1), re.MULTILINE):
        called = command.replace("diffill", str(Path(sys.executable).with_name("diffill")), 1)
        done = subprocess.run(
            called,
            shell=True,
            text=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=300,
        )
        lines = [f"$ {command}", *done.stdout.splitlines()]
        shown += "".join(f"{line.rstrip()}\n" for line in lines)  # editors trim documents
    return shown


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.parent.name)
def test_the_output_shown_is_real(project, document, request):
    before = document.read_text("utf-8")
    assert BLOCK.search(before)
    after = BLOCK.sub(rerun, before)
    if request.config.getoption("--update"):
        document.write_text(after, "utf-8")
    else:
        assert DIFFERING.sub("", after) == DIFFERING.sub("", before)
