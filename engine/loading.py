"""From a model's name to an `Editor`: file, weights, tokenizer, adapter."""

from __future__ import annotations

import hashlib
import logging
import os
from collections.abc import Callable, Mapping
from pathlib import Path

import torch
from torch import Tensor

from engine.adapter import base_of, load_adapter
from engine.catalogue import LocalModel, chosen_adapter, chosen_precision, resolve_local
from engine.checkpoint import Checkpoint
from engine.computing import yield_processors
from engine.config import Decoding, ModelConfig, Precision
from engine.draft_head import read_draft_head
from engine.edit import Editor
from engine.errors import CheckpointError, ConfigError
from engine.family import Family, Layout
from engine.fillers import filler_of
from engine.folder import CheckpointFolder
from engine.folders import cache_dir
from engine.gemma import DiffusionGemma
from engine.model import Transformer
from engine.offloading import OffloadedWeights, layers_within, room_on
from engine.placement import CPU, ready_device
from engine.prefix_cache import DEFAULT_MB, PrefixCache
from engine.recognition import family_of
from engine.recorded import RecordedTransformer
from engine.rewrite import Rewriter
from engine.tokenizer import Buildable, Tokenizer
from engine.weights import PackedWeights, Weights, pack, weights_of

log = logging.getLogger(__name__)

ADAPTERS = Path(__file__).parent / "weights"


def load_editor(
    model: str | None,
    report: Callable[[str, float], None],
    *,
    decoding: Decoding | None = None,
    precision: Precision | None = None,
) -> Editor:
    """Load a model (the default one for None) that is on this machine.

    It is put on the device that `DIFFILL_DEVICE` names. `precision` None is what
    `DIFFILL_PRECISION` says, or else int8 on the CPU and bfloat16 elsewhere.

    Raises:
        EngineError: with the reason and the remedy.
    """
    local = resolve_local(model)
    adapter = None if decoding is Decoding.BASE else adapter_of(local)
    transformer, tokenizer = load_model(local, report, adapter, precision)
    decoding = decoding or Decoding.VERIFIED
    # An adapter's update of a canvas adds up in other parts for another number of threads.
    yield_processors(transformer.is_by_token and decoding is not Decoding.PARALLEL)
    return editor_on(
        transformer,
        tokenizer,
        local.entry.family,
        decoding,
        PrefixCache(transformer, context_mb()),
    )


def context_mb() -> int:
    """Return how much memory encoded contexts may take; the environment has the last word."""
    text = os.environ.get("DIFFILL_CONTEXT_MB", "")
    if not text:
        return DEFAULT_MB
    if not text.isdecimal():
        raise ConfigError(f"DIFFILL_CONTEXT_MB is {text!r}, not a number of mebibytes")
    return int(text)


def editor_on(
    model: Transformer,
    tokenizer: Tokenizer,
    family: Layout,
    decoding: Decoding = Decoding.VERIFIED,
    contexts: PrefixCache | None = None,
) -> Editor:
    """Return what edits with a loaded model; it keeps the contexts of its last requests.

    Raises:
        ConfigError: if the decoding needs an adapter, and there is none.
    """
    if decoding is Decoding.PARALLEL and not model.has_adapter:
        raise ConfigError("decoding is parallel, which needs an adapter: there is none")
    contexts = contexts or PrefixCache(model)
    filler = filler_of(model, tokenizer, family, decoding, contexts)
    if not isinstance(family, Family) or family.chat is None:
        return Editor(filler)
    return Editor(filler, Rewriter(model, tokenizer, family, contexts))


def adapter_of(local: LocalModel) -> Path | None:
    """Return the adapter for a model: the one that is chosen, else the one shipped, if any.

    Raises:
        ConfigError: if one is chosen, and is no file or the model is not for adapters.
    """
    chosen = chosen_adapter()
    if chosen and not isinstance(local.entry.family, Family):
        raise ConfigError(f"{local.entry.name} denoises by itself, DIFFILL_ADAPTER is not for it")
    return chosen or shipped_adapter(local)


def shipped_adapter(local: LocalModel) -> Path | None:
    """Return the adapter that comes with Diffill for a model, None if there is none."""
    adapter = ADAPTERS / f"{local.entry.name}.safetensors"
    return adapter if adapter.exists() else None


def shipped_drafts(local: LocalModel) -> Path | None:
    """Return the draft head that comes with Diffill for a model, None if there is none."""
    drafts = ADAPTERS / f"{local.entry.name}.drafts.safetensors"
    return drafts if drafts.exists() else None


def load_model(
    local: LocalModel,
    report: Callable[[str, float], None],
    adapter: Path | None,
    precision: Precision | None = None,
) -> tuple[Transformer, Tokenizer]:
    """Load a model's parts, with an adapter or without.

    Raises:
        EngineError: with the reason and the remedy.
    """
    device = ready_device()
    precision = precision or chosen_precision()
    report(f"reading {local.path.name}", 0.0)
    if local.path.is_file() and precision is Precision.INT8 and device == CPU:
        weights = packed = _packed(local, report)
        tokenizer = Tokenizer(packed.vocabulary)
    else:
        config, tensors, vocabulary = parts_of(local)
        weights = _placed(config, tensors, precision, device)
        tokenizer = Tokenizer(vocabulary)
    report("packing weights", 0.8)
    transformer = network_of(weights)
    if adapter:
        report("reading the adapter", 0.95)
        base = base_of(local)
        load_adapter(transformer, adapter, base)
        # Its guesses are read one by one, each a wait for a device that is not the host.
        if (drafts := shipped_drafts(local)) and device == CPU:
            try:
                transformer.draft_head = read_draft_head(drafts, base, transformer.embed)
            except CheckpointError as error:
                log.warning("%s: fills take more passes", error)
    report("ready", 1.0)
    return transformer, tokenizer


def parts_of(local: LocalModel) -> tuple[ModelConfig, Mapping[str, Tensor], Buildable]:
    """Open a model's file or folder: its shape, tensors that are read when asked for, tokenizer.

    Raises:
        CheckpointError: if it is damaged, or no model of its family.
    """
    if local.path.is_dir():
        folder = CheckpointFolder(local.path, family_of(local.path))
        return folder.config, folder, folder.vocabulary()
    checkpoint = Checkpoint(local.path)
    return checkpoint.config, checkpoint.tensors(), checkpoint.vocabulary()


def network_of(weights: Weights) -> Transformer:
    """Build the network that a configuration asks for."""
    if weights.config.windowed:
        return DiffusionGemma(weights)
    on_cuda = weights.vector("norm.weight").device.type == "cuda"
    if on_cuda and not isinstance(weights, OffloadedWeights):  # no graph waits for the host
        return RecordedTransformer(weights)
    return Transformer(weights)


def _placed(
    config: ModelConfig, tensors: Mapping[str, Tensor], precision: Precision, device: torch.device
) -> Weights:
    """Return weights on a device, some of them off it if they are too many."""
    weights = weights_of(config, tensors, precision, device)
    if device == CPU:
        return weights
    count = layers_within(room_on(device), tensors, config, precision)
    if count == config.num_layers:
        return weights
    log.warning("%d of %d layers have room on %s", count, config.num_layers, device)
    far = weights_of(config, tensors, precision, device, far=True)
    return OffloadedWeights(weights, far, count)


def _packed(local: LocalModel, report: Callable[[str, float], None]) -> PackedWeights:
    """Map the packed form of a model, made at its first use: quantising takes many seconds."""
    stat = local.path.stat()
    own = f"{local.path}:{stat.st_size}:{stat.st_mtime_ns}"  # of a file the catalogue does not know
    key = local.entry.sha256 or hashlib.sha256(own.encode()).hexdigest()
    folder = cache_dir() / "packed" / f"{local.entry.name}-{key[:16]}"
    if folder.exists():
        try:
            return PackedWeights(folder)
        except CheckpointError as error:
            log.warning("%s; packing the model again", error)
    checkpoint = Checkpoint(local.path)

    def packing(fraction: float) -> None:
        report("packing weights for this machine (once)", 0.1 + 0.7 * fraction)

    pack(folder, checkpoint.config, checkpoint.vocabulary(), checkpoint.tensors(), packing)
    return PackedWeights(folder)
