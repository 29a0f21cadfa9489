"""A definition of another file makes a fill right that would be a guess without it."""

import re

import pytest
from imported_cases import CASES

from engine.client import EngineProcess
from engine.protocol import EditRequest
from grammars.span import Span
from lsp_server.surroundings import Project, Subject, candidates, excerpts, fitting

pytestmark = [pytest.mark.model, pytest.mark.usefixtures("model_file")]


@pytest.mark.parametrize("name", ["method name", "enum member", "header"])
async def test_what_is_imported_is_used(tmp_path, name):
    case = next(case for case in CASES if case.name == name)
    for other, text in case.others.items():
        (tmp_path / other).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / other).write_text(text)
    at, text = case.text.index("‸"), case.text.replace("‸", "")
    subject = Subject(tmp_path / case.path, text, case.language, (Span(at, at),))
    context = excerpts(fitting(candidates(subject, Project((tmp_path,), {}))), (tmp_path,))
    engine = EngineProcess()
    try:
        request = EditRequest(
            text=text,
            spans=subject.spans,
            language=case.language,
            path=case.path,
            context=context,
            single_line=True,
        )
        best = (await engine.edit(request)).best
    finally:
        await engine.close()
    assert best.verdict.ok
    assert re.search(case.right, best.replacements[0].text)
