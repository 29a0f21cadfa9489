import pytest
import tiny
import torch

from engine.canvas import Canvas
from engine.config import DenoiseConfig
from engine.denoise import denoise
from engine.guidance import SyntaxGuide
from engine.holes import Holes
from engine.stopping import HoleShape

VOID = tiny.vocabulary().special[tiny.FAMILY.void]
TOKENIZER = tiny.tokenizer()


def guide_of(prefix, suffix, old="", language="python"):
    guide = SyntaxGuide.of(TOKENIZER, Holes.of(HoleShape(prefix, suffix, old, language=language)))
    assert guide
    return guide


def canvas_of(*texts):
    return Canvas.joined([Canvas.of_text([*t.encode(), VOID, VOID], VOID) for t in texts])


def marked(flags, *texts):
    """Show the flagged bytes of each text as ^, the void behind it as nothing."""
    shown, start = [], 0
    for text in texts:
        own = flags[start : start + len(text) + 2].tolist()
        assert not any(own[len(text) :])
        shown.append("".join("^" if flag else " " for flag in own[: len(text)]).rstrip())
        start += len(text) + 2
    return shown


@pytest.mark.parametrize(
    ("prefix", "text", "suffix", "flags"),
    [
        ("x = ", "1 + 2", "\n", ""),
        ("x = ", "f(1))", "\n", "^^^^^"),  # the compiler names the line
        ("def f():\n    ", "return 1\n", "\n\ndef g():\n    pass\n", ""),
        ("import os\n\n\ndef f():\n    ", "x = (1", "\n", "^^^^^^"),
        ("def f():\n", "    return 1\n", "y = 2\n", ""),  # it goes on with what stands above
        ("if x:\n    pass\n", "else:\n    pass\n", "y = 2\n", ""),
    ],
)
def test_tokens_under_a_new_error(prefix, text, suffix, flags):
    assert marked(guide_of(prefix, suffix)(canvas_of(text)), text) == [flags]


def test_only_what_is_wrong_is_flagged():
    """In a language that no compiler looks at, it is as fine as the tree."""
    guide = guide_of("function f() {\n  ", "\n}\n", language="javascript")
    text = "let a = 1;\n  let b = ;\n  return a;"
    (flags,) = marked(guide(canvas_of(text)), text)
    assert "^" in flags
    assert "^" not in flags[: text.index("let b")]
    assert "^" not in flags[text.index("return") + 1 :]


def test_what_fitting_takes_away_moves_nothing():
    guide = guide_of("a = 1\n", "b = 2\n", old="c = 3\n")
    assert not guide(canvas_of("\n\nx = 1\n\n")).any()
    text = "\n\nx = (\n\n"
    assert guide(canvas_of(text)).nonzero()[0, 0] == text.index("= (")


def test_what_stands_behind_the_end_of_the_hole_will_be_cut_off():
    assert not guide_of("x = (1,\n", "y = 2\nz = 3\n")(canvas_of("2)\ny = 2\nz = 3\n(")).any()
    text = "(\ny = 2\nz = 3\n"
    flags = guide_of("x = ", "\ny = 2\nz = 3\n")(canvas_of(text))
    assert flags.nonzero()[:, 0].tolist() == [0]


def test_an_old_error_elsewhere_is_nobody_s_fault():
    assert not guide_of("def g(:\n    pass\n\nx = ", "\n")(canvas_of("1")).any()


def test_each_of_several_holes_has_its_own_errors():
    holes = Holes(("let a = ", ";\nlet b = ", ";\n"), ("0", "0"), language="javascript")
    texts = ["1", "2 + + ;"]
    flags = marked(SyntaxGuide.of(TOKENIZER, holes)(canvas_of(*texts)), *texts)
    assert flags[0] == ""
    assert "^" in flags[1]


def test_only_the_statements_around_are_parsed():
    far = "def f():\n    return 1\n\n\n" * 200
    guide = guide_of(far + "def g():\n    return ", "\n\n\n" + far)
    assert len(guide._text) < 100


def test_no_grammar_no_guide():
    assert SyntaxGuide.of(TOKENIZER, Holes.of(HoleShape("x", "y"))) is None


class Rows:
    """Answers every pass with the same scores (L, V)."""

    def __init__(self, *rows):
        self.rows, self.passes = torch.zeros(len(rows), 6), 0
        for row, scores in zip(self.rows, rows, strict=True):
            for token, score in scores.items():
                row[token] = score

    def __call__(self, canvas):
        self.passes += 1
        with torch.inference_mode():
            return self.rows.clone()


def steps(denoiser, guide, **options):
    config = DenoiseConfig(**{"commit_threshold": 1.0, "max_revisions": 0} | options)
    made = [step.canvas for step in denoise(denoiser, Canvas.blank(4, 5), config, guide)]
    return [torch.where(canvas.masked, -1, canvas.ids).tolist() for canvas in made]


def test_the_last_half_is_committed_where_the_syntax_is_right_first():
    rows = Rows({0: 9}, {1: 8}, {2: 7}, {3: 6})
    seen = []

    def guide(draft):
        seen.append(draft.ids.tolist())
        return torch.tensor([True, False, True, False])

    assert steps(rows, guide, guided=True) == [
        [0, -1, -1, -1],
        [0, 1, -1, -1],
        [0, 1, -1, 3],  # not the surest
        [0, 1, 2, 3],  # nothing else is left
    ]
    assert seen == [[0, 1, 2, 3]] * 2


def test_a_broken_draft_is_mended_with_its_neighbours():
    rows = Rows({0: 9}, {1: 8}, {2: 4, 4: 3}, {3: 6})

    def guide(draft):
        return draft.ids == 2

    made = steps(rows, guide, repairs=1, commit_threshold=0.01)
    assert made == [[0, 1, 2, 3], [0, 1, 4, 3]]


def test_repairs_have_an_end():
    rows = Rows({0: 9, 4: 8}, {1: 8}, {2: 7}, {3: 6})

    def guide(draft):
        return torch.ones(4, dtype=torch.bool)

    made = steps(rows, guide, repairs=3, commit_threshold=0.01)
    assert len(made) == 4
    assert rows.passes == 4


def test_no_repair_is_begun_that_the_steps_left_may_not_end():
    """A canvas with masks in it is no answer."""
    rows = Rows({0: 9}, {1: 8}, {2: 7, 4: 6}, {3: 6})

    def guide(draft):
        return draft.ids == 2

    kept = steps(rows, guide, repairs=1, max_steps=7)
    assert kept[-1] == [0, 1, 2, 3] and len(kept) == 4
    mended = steps(rows, guide, repairs=1, max_steps=8)
    assert mended[-1] == [0, 1, 4, 3] and len(mended) == 8


def test_a_repair_leaves_the_hole_beside_alone():
    rows = Rows({0: 9}, {1: 8}, {2: 7, 4: 6}, {3: 6})
    holes = Canvas.joined([Canvas.blank(2, 5), Canvas.blank(2, 5)])
    config = DenoiseConfig(commit_threshold=0.01, max_revisions=0, repairs=1)
    made = [step.canvas for step in denoise(rows, holes, config, lambda draft: draft.ids == 2)]
    assert made[-1].ids.tolist() == [0, 1, 4, 3]
    assert made[-1].revisions.tolist() == [0, 0, 1, 1]
