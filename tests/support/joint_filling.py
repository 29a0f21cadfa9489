"""Three ways to fill several holes: all in one request, one after the other, each by itself."""

from engine.control import Control
from engine.protocol import EditRequest
from grammars.span import Replacement, Span, apply

MAX_TOKENS = 8


def _fill(editor, text, spans):
    control = Control()
    request = EditRequest(text=text, spans=spans, language="python", max_tokens=MAX_TOKENS)
    return editor.edit(request, control).best, control


def together(editor, case):
    """Return the text that one request for all the holes makes, and its forward calls."""
    best, control = _fill(editor, case.text, case.spans)
    made = best.replacements if best.verdict.ok else ()
    return apply(case.text, made), control.forward_calls


def in_turn(editor, case):
    """Fill from the top, each hole in the text that those above it left."""
    text, shift, calls = case.text, 0, 0
    for span in case.spans:
        here = Span(span.start + shift, span.end + shift)
        best, control = _fill(editor, text, (here,))
        calls += control.forward_calls
        if best.verdict.ok:
            new = best.replacements[0].text
            text, shift = apply(text, best.replacements), shift + len(new) - len(here)
    return text, calls


def alone(editor, case):
    """Fill each hole in the text as it was."""
    made, calls = [], 0
    for span in case.spans:
        best, control = _fill(editor, case.text, (span,))
        calls += control.forward_calls
        made += [Replacement(span, r.text) for r in best.replacements if best.verdict.ok]
    return apply(case.text, made), calls


WAYS = {"together": together, "in turn": in_turn, "each alone": alone}


def score(editor, cases, way):
    """Return how many cases a way gets right, and its forward calls for each."""
    made = [(case, *WAYS[way](editor, case)) for case in cases]
    right = sum(case.is_right(text) for case, text, _ in made)
    return right, sum(calls for _, _, calls in made) / len(made)
