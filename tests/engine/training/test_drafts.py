"""The draft head's training, on a tiny random model and files of its own."""

import itertools
import json

import pytest
import tiny
import torch

from engine.catalogue import resolve_local
from engine.causal import NoDraft, Strand
from engine.draft_head import DraftHead, read_draft_head
from engine.errors import CheckpointError, ConfigError
from engine.linear import FloatLinear
from engine.passes import Passes
from engine.training import drafts
from engine.training.__main__ import main
from engine.training.drafts import (
    DraftRecipe,
    DraftRun,
    Segment,
    common_tokens,
    guesses,
    mixed,
    read,
)
from engine.training.samples import Sample

ENDS = [tiny.tokenizer().special(name) for name in tiny.FAMILY.ends]


@pytest.fixture
def model(reference):
    return tiny.transformer(reference(tied=True))


@pytest.fixture
def make_run(sampler, model, tmp_path):
    def make(folder="run", always=ENDS, **recipe):
        recipe = {"minutes": 1.0, "samples": 2, "inner": 32, "num_tokens": 60} | recipe
        recipe = DraftRecipe(**{"warm_up_steps": 2, "learning_rate": 5e-3} | recipe)
        return DraftRun(model, recipe, sampler, sampler, always, tmp_path / folder, "base")

    return make


def random_head(model, *, inner=16, known=40):
    width = model.config.width
    generator = torch.Generator().manual_seed(0)
    sizes = ((2 * inner, 2 * width), (width, inner), (known, width))
    layers = [FloatLinear(0.2 * torch.randn(size, generator=generator)) for size in sizes]
    return DraftHead(*layers, torch.arange(known), model.embed)


def test_a_sample_is_run_as_it_is_decoded(model, tmp_path, close):
    sample = Sample([5, 6, 7, 8], 4, [20, 21, 22])
    tokens = torch.arange(50)
    context, hole = read(model, sample, model.embed(tokens), tokens)
    assert context.ids.tolist() == [5, 6, 7, 8]
    assert hole.ids.tolist() == [4, 20, 21, 22]
    assert context.share < hole.share
    everything = model.encode([5, 6, 7, 8, 4, 20, 21, 22], model.new_cache(8))
    close(torch.cat([context.states, hole.states]), everything)
    # The answer is the model's, of the tokens that can be guessed.
    assert hole.answers.tolist() == model.logits(everything[4:])[:, :50].argmax(-1).tolist()


def test_guesses_are_those_of_single_steps(model, close):
    generator = torch.Generator().manual_seed(1)
    head = random_head(model)
    segments = []
    for count in (12, 2, 9, 1):
        ids = torch.randint(0, 2, (count,), generator=generator)
        answers = torch.randint(0, 2, (count,), generator=generator)
        states = torch.randn(count, model.config.width, generator=generator)
        segments.append(Segment(states, ids, answers, 1.0))
    expected = [[], [], []]
    for s in segments:
        for start in range(len(s.ids)):
            state = s.states[start, None]
            for depth in range(1, 4):
                at = start + depth
                # Text that is not what the model would have said is no place to go on from.
                if at >= len(s.ids) or (depth > 1 and s.ids[at - 1] != s.answers[at - 2]):
                    break
                state = head.step(state, model.embed(s.ids[at, None]))
                said = bool(s.ids[at] == s.answers[at - 1])
                expected[depth - 1].append((state[0], int(s.answers[at]), said))
    found = list(guesses(head, model, segments))
    assert [len(made.goals) for made in found] == [len(rows) for rows in expected]
    assert min(len(rows) for rows in expected) > 0
    for made, rows in zip(found, expected, strict=True):
        close(made.states, torch.stack([state for state, _, _ in rows]))
        assert made.goals.tolist() == [goal for _, goal, _ in rows]
        assert made.said.tolist() == [said for _, _, said in rows]
    first, second, _ = found
    assert all(share > 0 for share in first.shares)
    assert [share > 0 for share in second.shares] == second.said.tolist()


def test_it_learns_by_heart_what_the_model_says(make_run, model, monkeypatch):
    contexts = [[5, 6, 7, 8], [9, 10, 11], [30, 31, 32, 33, 34]]
    samples = []
    for context in contexts:
        strand = Strand(model.new_cache(40), [*context, 4], NoDraft())
        steps = itertools.islice(Passes(model).decode(strand), 20)
        samples.append(Sample(context, 4, [step.tokens[0] for step in steps]))
    run = make_run(always=range(model.config.vocab_size), num_tokens=model.config.vocab_size)

    class Held:
        def draw(self, number):
            return samples[number % 3]

    monkeypatch.setattr(drafts, "mixed", lambda _, number: samples[number % 3])
    run.held = Held()
    before = run.evaluate(3)
    figures = [run.step() for _ in range(60)]
    after = run.evaluate(3)
    for name in ("right_1", "right_2", "right_3"):
        assert before[name] < 0.3 < 0.9 < after[name]
    assert figures[-1]["loss_1"] < 0.3 * figures[0]["loss_1"]


def test_a_slice_leaves_a_head_the_engine_reads_and_a_log(make_run, model):
    run = make_run(minutes=0.02)
    assert run.slice(1, log_every=1, held_samples=2)
    rows = [json.loads(line) for line in (run.folder / "log.jsonl").read_text("utf-8").splitlines()]
    assert rows[0]["loss_1"] > 0
    assert set(rows[-1]["held"]) == {"right_1", "right_2", "right_3"}
    head = read_draft_head(run.folder / "drafts.safetensors", "base", model.embed)
    states, vectors = torch.randn(3, model.config.width), torch.randn(3, model.config.width)
    ours = run._head(run.average).step(states, vectors)
    torch.testing.assert_close(head.step(states, vectors), ours, atol=0.05, rtol=0.05)


def test_a_run_goes_on_where_it_was(make_run):
    first = make_run()
    for _ in range(3):
        first.step()
    first._save()
    second = make_run()
    assert second.progress == first.progress
    assert torch.equal(second.tokens, first.tokens)
    assert torch.equal(second.values["gate_up"], first.values["gate_up"])
    second.step()
    assert second.progress.step == 4
    with pytest.raises(ConfigError, match="holds a run with inner 32, not 16"):
        make_run(inner=16)
    first.state_file.write_bytes(b"{")
    with pytest.raises(CheckpointError, match="is damaged"):
        make_run()


def test_long_holes_are_cut_from_the_middle(sampler):
    samples = [mixed(sampler, number) for number in range(40)]
    assert samples == [mixed(sampler, number) for number in range(40)]
    long = [s for s in samples if len(s.text) >= 60]
    assert len(long) > 10
    assert all(0 < len(s.context) <= 200 for s in long)


def test_what_the_corpus_uses_most_is_known(sampler):
    tokens = common_tokens(sampler, ENDS, 30, 10_000).tolist()
    assert tokens[: len(ENDS)] == ENDS
    assert len(set(tokens)) == 30
    assert set(sampler.tokenizer.encode("return value")) < set(tokens)


@pytest.mark.parametrize("options", [{"minutes": 0}, {"inner": 0}, {"num_tokens": 0}])
def test_a_recipe_that_makes_no_sense_is_refused(options):
    with pytest.raises(ConfigError):
        DraftRecipe(**{"minutes": 5.0} | options)


def test_an_output_with_rows_of_its_own_is_refused(sampler, reference, tmp_path):
    with pytest.raises(ConfigError, match="other rows than its tokens' own"):
        DraftRun(
            tiny.transformer(reference()),
            DraftRecipe(minutes=1.0),
            sampler,
            sampler,
            ENDS,
            tmp_path,
            "base",
        )


def test_the_command_trains_in_slices(corpus, reference, tmp_path, capsys):
    path = tmp_path / "tiny.gguf"
    tiny.write_gguf(path, reference(tied=True, vocab_size=tiny.GGUF_VOCAB))
    run = tmp_path / "run"
    command = ["drafts", "--corpus", str(corpus), "--run-folder", str(run), "--model", str(path)]
    command += ["--total-minutes", "0.05", "--inner", "16", "--tokens", "50", "--held", "2"]
    assert main([*command, "--minutes", "0.005"]) == 1
    assert main(command) == 0
    assert (run / "drafts.safetensors").is_file()
    assert resolve_local(str(path)).path == path
    assert main([*command, "--lr", "1"]) == 2
    assert "learning_rate" in capsys.readouterr().err
