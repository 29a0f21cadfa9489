"""The suite itself, on a model of a few thousand weights and a scripted engine."""

import json
import sys
from dataclasses import replace
from pathlib import Path

import jsonschema
import pytest
import tiny
import torch

from engine.adapter import load_adapter
from engine.errors import ConfigError
from tests.benchmarks import __main__ as command
from tests.benchmarks import answers, lengths
from tests.benchmarks.cases import changed, fill_cases, rewrite_tasks
from tests.benchmarks.contenders import AbsentError, Answer, PeerProcess
from tests.benchmarks.floor import Floor, Rates
from tests.benchmarks.peer import Transformers
from tests.benchmarks.prompts import TO_THE_LIMIT, edit_prompt, ending, fill_prompt
from tests.benchmarks.report import Report, draw, table
from tests.benchmarks.samples import Row
from tests.benchmarks.suite import Loaded, Options, Suite
from tests.support import scripted_engine

SCHEMA = json.loads(Path(command.__file__).with_name("report.schema.json").read_text())
ENGINE = [sys.executable, "-P", scripted_engine.__file__]
TINY = Options(cases=1, runs=2, contexts=(5, 70), holes=(3,), passes=(1, 2))
IDS = list(range(60, 90))


@pytest.fixture(scope="module")
def file(tmp_path_factory):
    torch.set_num_threads(1)
    path = tmp_path_factory.mktemp("model") / "qwen2.5-coder-tiny.gguf"
    return tiny.write_gguf(path, tiny.reference(vocab_size=tiny.GGUF_VOCAB))


@pytest.fixture(scope="module")
def loaded(file):
    model, tokenizer = tiny.transformer(), tiny.tokenizer()
    local = command.resolve_local(str(file))
    return Loaded(local, model, tokenizer, tiny.FAMILY, Floor(model, Rates(1e9, 1e9)))


def suite_of(mode="echo", options=TINY):
    return Suite(options, Report(command.about(options)), command=[*ENGINE, mode])


class Scripted:
    """A peer that answers at once, until it fails."""

    name = "scripted"

    def __init__(self, answers=1000):
        self.left = answers
        self.kept = []

    async def fill(self, case, *, keep):
        self.kept.append(keep)
        return await self.rewrite(case)

    async def rewrite(self, task):
        await self.generate([], 0, {}, False)
        return Answer("x = 1", 2.0)

    async def generate(self, ids, max_tokens, stop, keep):
        if not self.left:
            raise AbsentError("scripted ended unexpectedly")
        self.left -= 1
        return "", 2.0


def is_png(path):
    return path.read_bytes().startswith(b"\x89PNG\r\n\x1a\n")


async def test_fills_come_cold_then_warm_each_engine_in_turn(loaded):
    suite, peer = suite_of(), Scripted()
    suite.peers = [peer]
    await answers.fills(suite, loaded)
    kinds = [
        f"{heat}, {kind}" for heat in ("cold", "warm") for kind in ("multi-line", "single-line")
    ]
    assert [(row.what, row.engine) for row in suite.report.rows if row.part == "fills"] == [
        (kind, engine) for kind in kinds for engine in ("Diffill", "scripted")
    ]
    assert [s.engine for s in suite.report.samples] == ["Diffill", "scripted"] * 8
    # Each engine's first fill, and each fill before a warm one, is not counted.
    assert peer.kept == [False] * 5 + [True] * 7
    assert {row.num_runs for row in suite.report.rows if row.part == "fills"} == {2}
    assert [row.peak_mb > 1 for row in suite.report.peaks] == [True, True]


async def test_a_refused_answer_leaves_no_token_in_the_buffer(loaded):
    suite = suite_of("invalid")
    await answers.fills(suite, loaded)
    assert {s.tokens for s in suite.report.samples} == {0}


async def test_rewrites_tell_how_much_they_changed(loaded):
    suite = suite_of()
    await answers.rewrites(suite, loaded)
    rows = [row for row in suite.report.rows if row.part == "rewrites"]
    assert [row.what for row in rows] == ["about 5% changed", "about 50% changed"]
    assert all(0 < row.changed <= 1 and row.tokens_s > 0 and row.floor_s > 0 for row in rows)


async def test_a_peer_that_fails_is_left_out_and_the_rest_runs(loaded):
    suite = suite_of()
    suite.peers = [Scripted(answers=2)]  # the first, uncounted, and one more
    await answers.fills(suite, loaded)
    assert suite.report.absent == ["scripted ended unexpectedly"]
    assert [s.engine for s in suite.report.samples] == ["Diffill", "scripted", *["Diffill"] * 7]


async def test_lengths_and_passes_have_floors(loaded):
    suite = suite_of()
    suite.peers = [Scripted()]
    await lengths.lengths(suite, loaded)
    await lengths.passes(suite, loaded)
    ours = {row.what: row for row in suite.report.rows if row.engine == "Diffill"}
    assert list(ours) == [
        *("5 tokens", "3 tokens behind 5", "70 tokens", "3 tokens behind 70"),
        *("1 tokens behind 512", "2 tokens behind 512"),
    ]
    assert all(row.floor_s > 0 and row.over_floor > 0 for row in ours.values())
    assert ours["70 tokens"].floor_s > ours["5 tokens"].floor_s


def test_the_floor_is_the_longer_of_reading_and_multiplying(loaded):
    c = loaded.model.config
    kv = c.num_layers * 2 * c.num_kv_heads * c.head_dim * 4  # bytes a token
    layer = c.width * (2 * c.width + 2 * c.num_kv_heads * c.head_dim + 3 * c.mlp_width)
    layers, head = c.num_layers * layer, c.width * c.vocab_size
    slow_memory, slow_kernel = (
        Floor(loaded.model, Rates(1.0, 1e30)),
        Floor(loaded.model, Rates(1e30, 1.0)),
    )
    assert slow_memory.decoding(10, 2) == layers + head + 12 * kv
    assert slow_kernel.decoding(10, 2) == 2 * (layers + head)
    assert slow_memory.context(300) == 2 * layers + (256 + 300) * kv
    # Of three calls one decoded, and two encoded all of the context.
    answer = slow_kernel.answer(300, 3, 1, adapted=False)
    assert answer == 300 * layers + layers + head
    # Of one that began warm, a pass at most.
    assert slow_kernel.answer(300, 2, 1, adapted=False) == 256 * layers + layers + head


def test_an_adapter_is_read_for_each_pass_that_it_changes(tmp_path):
    model = tiny.transformer()
    path = tmp_path / "adapter.safetensors"
    tensors = tiny.adapter_tensors(model.config)
    load_adapter(model, tiny.write_adapter(path, tensors), "base")
    floor = Floor(model, Rates(1.0, 1e30))
    own = sum(tensor.nbytes for name, tensor in tensors.items() if "lora" in name)
    assert floor.decoding(10, 2) - floor.decoding(10, 2, adapted=False) == own


async def test_the_report_is_a_table_a_json_object_and_a_picture(loaded, tmp_path):
    suite = suite_of()
    suite.peers = [Scripted()]
    for part in (answers.fills, answers.rewrites, lengths.lengths, lengths.passes):
        await part(suite, loaded)
    suite.report.absent.append("llama.cpp: xllamacpp is not installed")
    command.write(suite.report, tmp_path / "out")
    written = json.loads((tmp_path / "out" / "benchmarks.json").read_text())
    jsonschema.validate(written, SCHEMA)
    assert len(written["rows"]) == len(suite.report.rows)
    assert is_png(tmp_path / "out" / "benchmarks.png")


def test_a_table_has_a_line_a_row():
    row = Row(
        part="fills", what="cold", engine="x", num_cases=2, num_runs=3, p50_s=0.0123, p95_s=1.5
    )
    peak = Row(part="memory", what="fills", engine="x", num_cases=1, num_runs=1, peak_mb=1234.5)
    row = replace(row, tokens_s=7.04, ratio=2.0, changed=0.5, floor_s=0.01, over_floor=1.234)
    assert table([row, peak]).splitlines()[2:] == [
        "| fills: cold | x | 2 x 3 | 12.3 | 1,500 | 7.0 | 2.00 | 50.0 | 10.0 | 1.23 |  |",
        "| memory: fills | x | 1 |  |  |  |  |  |  |  | 1,234 |",
    ]


def test_nothing_to_draw_leaves_no_picture(tmp_path):
    assert not draw([], tmp_path / "none.png")
    assert not (tmp_path / "none.png").exists()


def test_own_cases_ship_and_others_are_read(tmp_path):
    own = fill_cases([], 3)
    assert {name: len(cases) for name, cases in own.items()} == {"multi-line": 3, "single-line": 3}
    assert all(
        case.prefix.strip() and case.truth.strip() for cases in own.values() for case in cases
    )
    fields = {"task_id": "SingleLineInfilling/HumanEval/0/L0", "entry_point": "f", "test": ""}
    fields |= {"prompt": "def f():\n", "suffix": "", "canonical_solution": "    return 1\n"}
    path = tmp_path / "humaneval-single-line.dev.jsonl"
    path.write_text(json.dumps(fields))
    assert [case.truth for case in fill_cases([path], 3)["single-line"]] == ["    return 1\n"]
    with pytest.raises(ConfigError, match="cannot be read"):
        fill_cases([tmp_path / "none.jsonl"], 3)


def test_rewrites_are_those_that_change_about_as_much():
    tokenizer = tiny.tokenizer()
    little, much = rewrite_tasks(tokenizer, 4).values()
    assert len(little) == len(much) == 4
    shares = [
        [changed(tokenizer, t.span.of(t.text), t.expected) for t in tasks]
        for tasks in (little, much)
    ]
    assert max(shares[0]) < 0.15 and 0.4 < min(shares[1]) <= max(shares[1]) < 0.6
    assert {t.half for t in (*little, *much)} == {"dev"}


def test_peers_are_asked_what_the_engine_reads_and_stop_where_it_does():
    tokenizer, (case, *_) = tiny.tokenizer(), fill_cases([], 1)["single-line"]
    prompt = fill_prompt(tokenizer, tiny.FAMILY, case)
    marks = [i for i in prompt.ids if tokenizer.is_special(i)]
    fim = tiny.FAMILY.fim
    assert marks == [tokenizer.special(name) for name in (fim.prefix, fim.suffix, fim.middle)]
    has_ended = ending(json.loads(json.dumps(prompt.stop)))
    assert not has_ended(case.truth.rstrip("\n"))
    assert has_ended(case.truth + "more")
    assert prompt.read(case.truth + "more") == case.truth


def test_a_rewrite_is_read_up_to_its_fence():
    tokenizer = tiny.tokenizer()
    (task, *_) = rewrite_tasks(tokenizer, 1)["about 50% changed"]
    prompt = edit_prompt(tokenizer, tiny.FAMILY, task)
    assert ending(prompt.stop)("a\n```") and not ending(prompt.stop)("a\n``")
    assert prompt.read(f"{task.expected}\n```\nmore") == task.expected


@pytest.mark.filterwarnings("ignore:`past_key_values`")  # goes with transformers 6
def test_transformers_fills_the_same_with_its_context_kept(file):
    peer = Transformers(file, 1)
    cold = peer.generate(IDS, 6, TO_THE_LIMIT, False)
    assert cold[1] == 6
    assert peer.generate(IDS, 6, TO_THE_LIMIT, True) == cold
    longer = peer.generate([*IDS, 70, 71], 6, TO_THE_LIMIT, False)
    peer.generate(IDS, 6, TO_THE_LIMIT, False)
    assert peer.generate([*IDS, 70, 71], 6, TO_THE_LIMIT, True) == longer


async def test_a_peer_answers_from_its_own_process(file, loaded):
    peer = await PeerProcess.start("transformers", file, 1, loaded.tokenizer, tiny.FAMILY)
    try:
        first = await peer.generate(IDS, 4, TO_THE_LIMIT, False)
        again = await peer.generate(IDS, 4, TO_THE_LIMIT, True)
        assert first[0] == again[0] != ""
        assert peer.about.startswith("transformers ")
        assert peer.peak_mb() > 10
        case = fill_cases([], 1)["single-line"][0]
        assert (await peer.fill(case, keep=False)).seconds > 0
    finally:
        await peer.close()


async def test_what_does_not_load_is_a_sentence(tmp_path):
    broken = tmp_path / "broken.gguf"
    broken.write_bytes(b"GGUF")
    with pytest.raises(AbsentError, match="transformers does not load"):
        await PeerProcess.start("transformers", broken, 1, tiny.tokenizer(), tiny.FAMILY)


def test_without_a_model_the_commands_are_still_measured(monkeypatch, tmp_path, capsys):
    monkeypatch.setenv("DIFFILL_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("DIFFILL_MODEL", raising=False)
    monkeypatch.setenv("DIFFILL_PRECISION", "")  # it sets its own: this puts back what was
    code = command.main(["--quick", "--only", "start,fills", "--out", str(tmp_path)])
    out = capsys.readouterr().out
    assert code == 0
    assert "diffill --help" in out
    assert "diffill model pull" in out.partition("Not measured: ")[2]
    jsonschema.validate(json.loads((tmp_path / "benchmarks.json").read_text()), SCHEMA)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--only", "fills,speed"], "'speed' is no part; the parts are: start, passes, fills"),
        (["--cases", "0"], "--cases and --runs are at least 1"),
        (["none.jsonl"], "none.jsonl cannot be read"),
    ],
)
def test_bad_input_gets_a_sentence(arguments, message, capsys, monkeypatch):
    monkeypatch.setenv("DIFFILL_PRECISION", "")
    with pytest.raises(SystemExit):
        command.main(arguments)
    assert message in capsys.readouterr().err
