"""Adapters of other autoregressive families: trained on their folders, and edited with."""

import os
from pathlib import Path

import published
import pytest
import tiny

from engine.adapter import base_of
from engine.catalogue import chosen_adapter, resolve_local
from engine.control import Control
from engine.errors import CheckpointError, ConfigError
from engine.folders import environment
from engine.loading import load_editor
from engine.place import residence_of
from engine.protocol import EditRequest
from engine.training.__main__ import main
from grammars.span import Span

BASES = ["qwen2.5-coder", "starcoder2", "deepseek-coder", "codegemma"]


def folder_of(family, parent):
    return published.write(parent, family, published.reference(published.FORMS[family][0]))


def trained(folder, corpus, run, *options):
    sizes = ["--batch", "2", "--rank", "2", "--context", "60", "--workers", "0", "--held", "2"]
    command = ["train", "--model", str(folder), "--corpus", str(corpus), "--run-folder", str(run)]
    return main([*command, *sizes, "--steps", "2", *options])


@pytest.mark.parametrize("family", BASES)
def test_an_adapter_is_trained_and_edited_with(family, corpus, tmp_path, monkeypatch):
    folder, run = folder_of(family, tmp_path), tmp_path / "run"
    assert trained(folder, corpus, run) == 0
    bare = residence_of(str(folder)).place.key
    monkeypatch.setenv("DIFFILL_ADAPTER", str(run / "adapter.safetensors"))
    assert residence_of(str(folder)).place.key != bare  # another engine, which knows it
    editor = load_editor(str(folder), lambda message, share: None)
    text = "def total(prices):\n    summe = 0\n"
    asked = EditRequest(text=text, spans=(Span(23, 32),), max_tokens=6, explain=True)
    found = editor.edit(asked, Control()).explanation
    assert any("with the adapter" in attempt.how for attempt in found.attempts)


def test_an_adapter_is_of_its_base_wherever_that_lies(corpus, tmp_path, monkeypatch):
    folder, run = folder_of("qwen2.5-coder", tmp_path), tmp_path / "run"
    assert trained(folder, corpus, run) == 0
    monkeypatch.setenv("DIFFILL_ADAPTER", str(run / "adapter.safetensors"))
    moved = tmp_path / "elsewhere" / folder.name
    moved.parent.mkdir()
    folder.rename(moved)
    load_editor(str(moved), lambda message, share: None)
    weights = moved / "model.safetensors"
    raw = bytearray(weights.read_bytes())
    raw[-1] ^= 1
    weights.write_bytes(raw)
    with pytest.raises(CheckpointError, match="trained on another base model"):
        load_editor(str(moved), lambda message, share: None)


def test_a_relative_path_is_whole_for_the_engine(corpus, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("run").mkdir()
    Path("run/adapter.safetensors").write_bytes(b"x")
    monkeypatch.setenv("DIFFILL_ADAPTER", "run/adapter.safetensors")
    monkeypatch.delenv("DIFFILL_CONFIG", raising=False)
    seen = environment()
    assert seen["DIFFILL_ADAPTER"] == str(tmp_path / "run" / "adapter.safetensors")
    assert "DIFFILL_CONFIG" not in seen
    here = chosen_adapter()
    monkeypatch.setattr("os.environ", seen)
    monkeypatch.chdir("/")
    assert chosen_adapter() == here


def test_the_base_of_a_file_is_its_hash(tmp_path):
    path = tmp_path / "model.gguf"
    tiny.write_gguf(path, tiny.reference(vocab_size=tiny.GGUF_VOCAB))
    local = resolve_local(str(path))
    os.utime(path, (1, 1))
    assert base_of(local) == base_of(resolve_local(str(path)))
    assert len(base_of(local)) == 64


def test_what_takes_no_adapter_says_so(corpus, tmp_path, monkeypatch, capsys):
    dream = folder_of("dream", tmp_path)
    assert trained(dream, corpus, tmp_path / "run") == 2
    assert "there is nothing to train" in capsys.readouterr().err
    monkeypatch.setenv("DIFFILL_ADAPTER", str(tmp_path / "none"))
    with pytest.raises(ConfigError, match="which is no file"):
        load_editor(str(dream), lambda message, share: None)
    monkeypatch.setenv("DIFFILL_ADAPTER", str(corpus / "train.jsonl"))
    with pytest.raises(ConfigError, match="DIFFILL_ADAPTER is not for it"):
        load_editor(str(dream), lambda message, share: None)
