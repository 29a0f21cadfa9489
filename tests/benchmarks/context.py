"""Do definitions of other files make fills right? `python -m tests.benchmarks.context`

Each case is a file with a hole that only a definition it imports tells how to fill. It is filled
with what the language server would show the model of the other file, and without.
"""

import argparse
import asyncio
import re
import tempfile
import time
from pathlib import Path

from engine.client import open_engine
from engine.protocol import EditRequest, Effort
from grammars.span import Span
from lsp_server.surroundings import Project, Subject, candidates, excerpts, fitting
from tests.support.imported_cases import CASES


def surroundings(case, folder):
    """Return what is shown of the case's other files."""
    for name, text in case.others.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    at = case.text.index("‸")
    subject = Subject(
        folder / case.path, case.text.replace("‸", ""), case.language, (Span(at, at),)
    )
    project = Project((folder,), {})
    return subject, excerpts(fitting(candidates(subject, project)), project.folders)


async def fill(engine, case, context, effort):
    at = case.text.index("‸")
    request = EditRequest(
        text=case.text.replace("‸", ""),
        spans=(Span(at, at),),
        language=case.language,
        path=case.path,
        context=context,
        effort=effort,
        single_line=True,
    )
    began = time.monotonic()
    best = (await engine.edit(request)).best
    text = best.replacements[0].text
    return text, best.verdict.ok and bool(re.search(case.right, text)), time.monotonic() - began


async def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--effort", type=Effort, choices=list(Effort), default=Effort.BALANCED)
    effort = parser.parse_args().effort
    engine = open_engine(None, lambda status: None)
    right, seconds = [0, 0], [0.0, 0.0]
    print(f"{'case':20}  {'without':34}  with")
    try:
        for case in CASES:
            with tempfile.TemporaryDirectory() as folder:
                _, context = surroundings(case, Path(folder))
            cells = []
            for number, shown in enumerate(((), context)):
                text, is_right, took = await fill(engine, case, shown, effort)
                right[number] += is_right
                seconds[number] += took
                cells.append(f"{'+' if is_right else '-'} {' '.join(text.split())[:32]:32}")
            print(f"{case.name:20}  {'  '.join(cells)}", flush=True)
    finally:
        await engine.close()
    for number, name in enumerate(("without", "with")):
        print(f"{name}: {right[number]} of {len(CASES)} right, {seconds[number]:.1f} s")


if __name__ == "__main__":
    asyncio.run(main())
