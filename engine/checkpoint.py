"""Read a GGUF file: its shape, its weights one at a time, its tokenizer.

Only GGUF and (for adapters) safetensors are read: plain data, nothing that can run.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import gguf
import numpy as np
import torch
from torch import Tensor

from engine.config import ModelConfig
from engine.errors import CheckpointError
from engine.tokenizer import Vocabulary

_LAYER_NAMES = {
    "input_layernorm": "attn_norm",
    "post_attention_layernorm": "ffn_norm",
    "self_attn.q_proj": "attn_q",
    "self_attn.k_proj": "attn_k",
    "self_attn.v_proj": "attn_v",
    "self_attn.o_proj": "attn_output",
    "mlp.gate_proj": "ffn_gate",
    "mlp.up_proj": "ffn_up",
    "mlp.down_proj": "ffn_down",
}
# Whether the converter reorders the rows of query and key.
_ARCHITECTURES = {"qwen2": False, "dream": False, "llama": True, "llada": True}
_CONTROL, _UNUSED = 3, 5  # GGUF token types: special tokens, padding rows


class Checkpoint:
    """An open GGUF file of a Qwen2- or Llama-shaped model (Dream, LLaDA), memory-mapped.

    Raises:
        CheckpointError: if the file is not GGUF, is damaged, or has another architecture.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            self._reader = gguf.GGUFReader(path)
        except OSError as error:
            raise CheckpointError(f"{path} cannot be read: {error.strerror}") from error
        except Exception as error:  # the reader checks little: anything may come out of a bad file
            raise CheckpointError(f"{path} is not a GGUF file, or is damaged: {error}") from error
        self._tensors = {t.name: t for t in self._reader.tensors}
        self.architecture = str(self._field("general.architecture"))
        if self.architecture not in _ARCHITECTURES:
            known = ", ".join(_ARCHITECTURES)
            raise CheckpointError(
                f"{path} holds a {self.architecture!r} model; the shapes that are known: {known}"
            )
        self.config = self._config()

    def tensors(self) -> Mapping[str, Tensor]:
        """Return the weights by their usual names, each dequantised to float32 when asked for."""
        return _Tensors(self)

    def vocabulary(self) -> Vocabulary:
        """Return the tokenizer's data.

        Raises:
            CheckpointError: if it is not byte-level BPE.
        """
        if self._field("tokenizer.ggml.model") != "gpt2":
            raise CheckpointError(f"{self.path}: its tokenizer is not byte-level BPE")
        tokens: list[str] = self._field("tokenizer.ggml.tokens")
        kinds: list[int] = self._field("tokenizer.ggml.token_type")
        special = {tokens[i]: i for i, kind in enumerate(kinds) if kind == _CONTROL}
        unused = sum(k == _UNUSED for k in kinds)
        merges: list[str] = self._field("tokenizer.ggml.merges")
        return Vocabulary(tokens[: len(tokens) - unused], merges, special)

    def tensor(self, name: str) -> Tensor:
        """Return a tensor by its GGUF name, in float32.

        Raises:
            CheckpointError: if the file lacks it or cuts it short.
        """
        found = self._tensors.get(name)
        if found is None:
            raise CheckpointError(f"{self.path}: tensor {name!r} is missing")
        try:
            data = gguf.quants.dequantize(found.data, found.tensor_type)
        except (ValueError, NotImplementedError) as error:
            raise CheckpointError(f"{self.path}: tensor {name!r}: {error}") from error
        tensor = torch.from_numpy(np.array(data, dtype=np.float32))
        if _ARCHITECTURES[self.architecture] and name.endswith(("attn_q.weight", "attn_k.weight")):
            heads = self.config.num_heads if "attn_q" in name else self.config.num_kv_heads
            tensor = _unpermute(tensor, heads)
        return tensor

    def has(self, name: str) -> bool:
        """Tell whether the file holds a tensor of this GGUF name."""
        return name in self._tensors

    def _field(self, name: str) -> Any:
        field = self._reader.fields.get(name)
        if field is None:
            raise CheckpointError(f"{self.path}: field {name!r} is missing")
        try:
            return field.contents()
        except ValueError as error:  # text that is not UTF-8
            raise CheckpointError(f"{self.path}: field {name!r} is damaged: {error}") from error

    def _is_tied(self) -> bool:
        """Tell whether output and embedding matrix are one, quantised in two ways.

        Where they are, the output matrix serves both: it is kept in more bits.
        """
        if "output.weight" not in self._tensors:
            return True
        some = [
            torch.tensor(gguf.quants.dequantize(t.data[:64], t.tensor_type))
            for t in (self._tensors["output.weight"], self._tensors["token_embd.weight"])
        ]
        return bool((torch.cosine_similarity(*some, dim=-1) > 0.98).all())

    def _config(self) -> ModelConfig:
        def number(name: str) -> Any:
            value = self._field(f"{self.architecture}.{name}")
            if not isinstance(value, int | float) or not value > 0:
                raise CheckpointError(
                    f"{self.path}: field {name!r} is {value!r}, not a number above 0"
                )
            return value

        heads = number("attention.head_count")
        return ModelConfig(
            num_layers=number("block_count"),
            width=number("embedding_length"),
            num_heads=heads,
            num_kv_heads=number("attention.head_count_kv"),
            head_dim=number("embedding_length") // heads,
            mlp_width=number("feed_forward_length"),
            vocab_size=len(self._field("tokenizer.ggml.tokens")),
            rope_theta=number("rope.freq_base"),
            norm_eps=number("attention.layer_norm_rms_epsilon"),
            max_positions=number("context_length"),
            tied_embedding=self._is_tied(),
        )


class _Tensors(Mapping[str, Tensor]):
    """A checkpoint's tensors under the names models are published with."""

    def __init__(self, checkpoint: Checkpoint) -> None:
        self._checkpoint = checkpoint
        has_output = checkpoint.has("output.weight")
        names = {
            "norm.weight": "output_norm.weight",
            "embed_tokens.weight": "token_embd.weight",
            "lm_head.weight": "output.weight" if has_output else "token_embd.weight",
        }
        for layer in range(checkpoint.config.num_layers):
            for part, gguf_part in _LAYER_NAMES.items():
                for kind in ("weight", "bias"):
                    names[f"layers.{layer}.{part}.{kind}"] = f"blk.{layer}.{gguf_part}.{kind}"
        self._names = {name: source for name, source in names.items() if checkpoint.has(source)}

    def __getitem__(self, name: str) -> Tensor:
        if name not in self._names:
            raise CheckpointError(f"{self._checkpoint.path}: tensor {name!r} is missing")
        return self._checkpoint.tensor(self._names[name])

    def __contains__(self, name: object) -> bool:
        return name in self._names

    def __iter__(self) -> Iterator[str]:
        return iter(self._names)

    def __len__(self) -> int:
        return len(self._names)


def _unpermute(weight: Tensor, heads: int) -> Tensor:
    """Undo the converter's reordering of rotary rows."""
    rows, width = weight.shape
    return weight.view(heads, rows // heads // 2, 2, width).transpose(1, 2).reshape(rows, width)
