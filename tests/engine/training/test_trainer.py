"""The trainer, on a tiny random model and files of its own."""

import json
import os
import signal
import subprocess
import sys

import pytest
import tiny
import torch
import torch.nn.functional as F
from safetensors.torch import load_file

from engine.adapter import load_adapter
from engine.errors import CheckpointError, ConfigError
from engine.training import curves, parts
from engine.training.__main__ import main
from engine.training.batches import batches, collate
from engine.training.head_loss import head_loss
from engine.training.network import canvas_states, encode_contexts
from engine.training.noise import noisy_copies
from engine.training.samples import Sample
from engine.training.trainable import TrainableAdapter, rescale, save_adapter
from engine.training.trainer import Recipe, Run

VOID = tiny.tokenizer().special(tiny.FAMILY.void)


@pytest.fixture
def make_run(sampler, reference, tmp_path):
    def make(folder="run", **recipe):
        recipe = Recipe(**{"steps": 6, "batch": 2, "max_copies": 3, "rank": 2} | recipe)
        model = tiny.transformer(reference())
        return Run(model, recipe, sampler, sampler, VOID, tmp_path / folder, "base")

    return make


def adapted(reference, tmp_path):
    model = tiny.transformer(reference())
    path = tiny.write_adapter(tmp_path / "a.safetensors", tiny.adapter_tensors(model.config))
    load_adapter(model, path, "base")
    return model


def test_a_noisy_copy_sees_what_a_decoded_canvas_sees(reference, tmp_path, close):
    model = adapted(reference, tmp_path)
    contexts = [[5, 6, 7, 8, 9], [11, 12, 13]]
    texts = torch.tensor([[20, 21, 22, 23], [30, 31, 32, 33]])
    masked = torch.tensor([[[1, 0, 1, 1]], [[0, 1, 0, 1]]]).bool().expand(-1, 2, -1)
    batch = collate(
        [Sample(c, 4, t) for c, t in zip(contexts, texts.tolist(), strict=True)], 4, VOID, 8
    )
    shown = batch.text[:, None].expand(-1, 2, -1)
    states = canvas_states(
        model,
        encode_contexts(model, batch.context),
        batch.context_lengths,
        8,
        batch.sentinel,
        shown,
        masked,
    )
    for i, context in enumerate(contexts):
        cache = model.new_cache(16)
        model.encode(context, cache)
        cache.keep(len(context))
        vectors = torch.where(masked[i, 0, :, None], model.mask_vector, model.embed(texts[i]))
        x = torch.cat([model.embed(torch.tensor([4])), vectors[:-1]])
        close(states[i, 0], model.canvas(x, cache))


def test_the_causal_copy_is_sequential_decoding(reference, tmp_path, close):
    model = adapted(reference, tmp_path)
    batch = collate([Sample([5, 6, 7], 4, [20, 21, 22, 23])], 4, VOID, 8)
    shown = batch.text[:, None].expand(-1, 2, -1)
    masked = torch.stack([torch.ones(4).bool(), torch.zeros(4).bool()])[None]
    context = encode_contexts(model, batch.context)
    states = canvas_states(model, context, batch.context_lengths, 8, batch.sentinel, shown, masked)
    cache = model.new_cache(16)
    model.encode([5, 6, 7], cache)
    cache.keep(3)
    close(states[0, 1], model.encode([4, 20, 21, 22], cache, adapted=True))


def test_the_chunked_loss_is_cross_entropy_with_its_gradient(close, monkeypatch):
    monkeypatch.setattr("engine.training.head_loss._CHUNK", 3)
    generator = torch.Generator().manual_seed(0)
    head = torch.randn(11, 4, generator=generator)
    target = torch.randint(0, 11, (8,), generator=generator)
    weight = torch.rand(8, generator=generator)
    grads = []
    values = []
    for certainty, ours in ((0.0, True), (0.0, False), (0.5, True), (0.5, False)):
        hidden = torch.randn(8, 4, generator=torch.Generator().manual_seed(1), requires_grad=True)
        if ours:
            loss, _ = head_loss(hidden, head, target, weight, certainty)
        else:
            log_p = F.linear(hidden, head).log_softmax(-1)
            right = log_p.argmax(-1) == target
            entropy = -(log_p.exp() * log_p).sum(-1)
            loss = F.cross_entropy(F.linear(hidden, head), target, reduction="none")
            loss = (weight * (loss + certainty * right * entropy)).sum()
        loss.backward()
        values.append(loss.detach())
        grads.append(hidden.grad)
    for i in (0, 2):
        close(values[i], values[i + 1])
        close(grads[i], grads[i + 1])


def test_noise_masks_every_void_and_keeps_the_causal_copy_whole():
    text = torch.tensor([[3, 4, 5, 6, 7, VOID, VOID, VOID]] * 64)
    rewrite = torch.zeros(64, dtype=torch.bool)
    noisy = noisy_copies(
        text, text, rewrite, VOID, 5, torch.Generator().manual_seed(0), corrupt=True, vocab_size=250
    )
    assert noisy.masked[:, :, 5:].all()
    assert not noisy.masked[:, -1, :5].any()
    assert (noisy.shown[:, -1] == text).all()
    visible = ~noisy.masked[:, :-1]
    wrong = (noisy.shown[:, :-1] != text[:, None]) & visible
    assert 0.03 < wrong.sum() / visible.sum() < 0.2
    assert (noisy.weight[:, :-1][wrong] > noisy.weight[:, :-1][visible & ~wrong].max()).all()
    # The tail behind the end counts little, the end itself as much as any token.
    assert noisy.weight[0, 0, 5] == 1
    assert noisy.weight[:, :-1, 6:].sum(-1).max() < 1.5
    all_masked = noisy.masked[:, :-1].all(-1).float().mean()
    assert 0.2 < all_masked < 0.6


def test_one_copy_alone_is_the_causal_one(make_run):
    text = torch.tensor([[3, 4, 5, VOID]])
    drawn = [
        noisy_copies(
            text,
            text,
            torch.tensor([False]),
            VOID,
            copies,
            torch.Generator().manual_seed(0),
            corrupt=True,
            vocab_size=250,
        )
        for copies in (1, 3)
    ]
    for name in ("shown", "masked", "weight"):
        alone, in_company = (getattr(noisy, name) for noisy in drawn)
        assert torch.equal(alone[:, 0], in_company[:, -1])
    run = make_run(max_copies=1)
    assert run.slice(1.0, held_samples=2)
    batch = next(batches(run.train, 2, VOID, tails=False))
    longest = int((batch.text != VOID).sum(1).max()) + 1
    assert longest <= batch.text.shape[1] < longest + 8


def test_a_rewrite_shows_its_older_text_and_learns_what_changed():
    text, draft = torch.tensor([[3, 4, 5, VOID]]), torch.tensor([[3, 9, 5, VOID]])
    noisy = noisy_copies(
        text,
        draft,
        torch.tensor([True]),
        VOID,
        3,
        torch.Generator().manual_seed(0),
        corrupt=False,
        vocab_size=250,
    )
    assert noisy.shown[0, 0].tolist() == [3, 9, 5, VOID]
    assert noisy.masked[0, 0].tolist() == [False, False, False, True]
    assert noisy.weight[0, 0].argmax() == 1


def test_a_run_in_slices_is_the_run_in_one(make_run):
    whole, parted = make_run("whole"), make_run("parted")
    for run in (whole, parted):
        source = batches(run.train, 2, VOID)
        for _ in range(3):
            run.step(next(source))
    parted.save()
    parted = make_run("parted")
    for run in (whole, parted):
        source = batches(run.train, 2, VOID, start=3)
        for _ in range(3):
            run.step(next(source))
    assert parted.progress.step == whole.progress.step == 6
    assert parted.progress.supervised == whole.progress.supervised
    for name, tensor in whole.average.items():
        assert torch.equal(tensor, parted.average[name]), name


def test_it_learns_one_batch_by_heart(make_run):
    run = make_run(steps=1000, learning_rate=2e-2, warm_up_steps=5, rank=8)
    batch = next(batches(run.train, 2, VOID))
    losses = [run.step(batch)["loss"] for _ in range(80)]
    assert losses[-1] < losses[0] / 2


def test_a_slice_leaves_an_adapter_the_engine_loads_and_a_log_to_draw(
    make_run, reference, tmp_path
):
    run = make_run(steps=4)
    assert run.slice(1, log_every=2, held_samples=4)
    model = tiny.transformer(reference())
    load_adapter(model, run.folder / "adapter.safetensors", "base")
    assert model.has_adapter
    rows = [json.loads(line) for line in run.log_file.read_text("utf-8").splitlines()]
    assert [row["step"] for row in rows] == [2, 4, 4]
    assert all(row["of_peak"] > 0 and row["canvas_tokens_s"] > 0 for row in rows[:2])
    assert rows[-1]["held"]["causal"] > 0
    curves.draw(run.log_file, tmp_path / "curves.png")
    assert (tmp_path / "curves.png").read_bytes().startswith(b"\x89PNG")


def test_an_untrained_adapter_changes_nothing(reference, close):
    model = tiny.transformer(reference())
    context = [5, 6, 7, 8]
    expected = model.encode(context, model.new_cache(8))
    TrainableAdapter(model, 2, 0).attach(model)
    close(model.encode(context, model.new_cache(8), adapted=True), expected)


def test_an_adapter_goes_on_from_its_file(reference, tmp_path):
    model = tiny.transformer(reference())
    first, second = TrainableAdapter(model, 2, 0), TrainableAdapter(model, 2, 1)
    save_adapter(first.tensors, tmp_path / "a.safetensors", {})
    second.load(tmp_path / "a.safetensors")
    kept = load_file(tmp_path / "a.safetensors")
    assert all(torch.equal(t.bfloat16(), kept[n]) for n, t in second.tensors.items())
    with pytest.raises(CheckpointError, match="not an adapter of this shape"):
        TrainableAdapter(model, 3, 0).load(tmp_path / "a.safetensors")


def test_a_rescaled_adapter_is_so_much_of_itself(reference, tmp_path, close):
    model, context = tiny.transformer(reference()), [5, 6, 7, 8]

    def states():
        return model.encode(context, model.new_cache(8), adapted=True)

    tensors = tiny.adapter_tensors(model.config)
    whole = tiny.write_adapter(tmp_path / "whole.safetensors", tensors, scale=2.0)
    load_adapter(model, tiny.write_adapter(tmp_path / "a.safetensors", tensors, scale=0.5), "base")
    expected = states()
    quarter = tmp_path / "quarter.safetensors"
    assert main(["rescale", str(whole), str(quarter), "--by", "0.25"]) == 0
    load_adapter(model, quarter, "base")
    close(states(), expected)
    trained = TrainableAdapter(model, 4, 0)
    trained.load(quarter)
    with torch.no_grad():
        trained.attach(model)
        close(states(), expected)
    (tmp_path / "no.safetensors").write_bytes(b"x" * 20)
    with pytest.raises(CheckpointError, match="is not an adapter"):
        rescale(tmp_path / "no.safetensors", quarter, 0.5)


def test_a_run_is_not_resumed_with_another_recipe(make_run):
    make_run(steps=6).save()
    with pytest.raises(ConfigError, match="holds a run with steps 6, not 7"):
        make_run(steps=7)


def test_a_damaged_state_is_named(make_run):
    run = make_run()
    run.save()
    run.state_file.write_bytes(run.state_file.read_bytes()[:200])
    with pytest.raises(CheckpointError, match=r"state\.safetensors is damaged"):
        make_run()


@pytest.mark.parametrize(
    "options", [{"steps": 0}, {"rank": 0}, {"minutes": 1.0}, {"max_copies": 0}, {"steps": None}]
)
def test_a_recipe_that_makes_no_sense_is_refused(options):
    with pytest.raises(ConfigError):
        Recipe(**{"steps": 5} | options)


def test_parts_make_the_whole_again(tmp_path):
    file = tmp_path / "base.bin"
    file.write_bytes(os.urandom(2500))
    made = parts.split(file, tmp_path / "parts", 1000)
    assert [p.name[-2:] for p in made] == ["00", "01", "02"]
    parts.join(tmp_path / "parts", "base.bin", tmp_path / "again.bin", None)
    assert (tmp_path / "again.bin").read_bytes() == file.read_bytes()
    with pytest.raises(CheckpointError, match="not 00"):
        parts.join(tmp_path / "parts", "base.bin", tmp_path / "bad.bin", "00")
    made[1].unlink()
    with pytest.raises(CheckpointError, match=r"lacks base\.bin\.part01"):
        parts.join(tmp_path / "parts", "base.bin", tmp_path / "bad.bin", None)
    assert not (tmp_path / "bad.bin").exists()


def test_the_command_says_what_is_missing(tmp_path, capsys):
    command = ["train", "--corpus", str(tmp_path), "--run-folder", str(tmp_path / "r"), "--steps"]
    assert main([*command, "1"]) == 2
    assert "train.jsonl does not exist" in capsys.readouterr().err
    assert main([*command, "0"]) == 2
    assert "above 0" in capsys.readouterr().err


def test_sigterm_keeps_the_step_and_the_command_goes_on(corpus, reference, tmp_path):
    script = tmp_path / "train.py"
    script.write_text(
        "import sys; from pathlib import Path; import tiny\n"
        "from engine.training.samples import Corpus, Sampler\n"
        "from engine.training.trainer import Recipe, Run\n"
        "folder = Path(sys.argv[1])\n"
        "s = Sampler(Corpus(folder / 'train.jsonl'), tiny.tokenizer(), tiny.FAMILY, 200, 256, 0)\n"
        "recipe = Recipe(steps=10**6, batch=2, max_copies=3, rank=2)\n"
        "void = tiny.tokenizer().special(tiny.FAMILY.void)\n"
        "run = Run(tiny.transformer(), recipe, s, s, void, folder / 'run', 'base')\n"
        "run.slice(5, log_every=1, held_samples=0)\n"
        "print('left at', run.progress.step, flush=True)\n",
        "utf-8",
    )
    env = {**os.environ, "PYTHONPATH": os.pathsep.join(p for p in sys.path if p)}
    steps = []
    for _ in range(2):
        child = subprocess.Popen(
            [sys.executable, str(script), str(corpus)], stdout=subprocess.PIPE, text=True, env=env
        )
        first = json.loads(child.stdout.readline())["step"]
        child.send_signal(signal.SIGTERM)
        last = child.communicate(timeout=60)[0].splitlines()[-1]
        assert child.returncode == 0
        steps.append((first, int(last.split()[-1])))
    assert steps[1][0] == steps[0][1] + 1
