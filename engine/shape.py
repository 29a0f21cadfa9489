"""How a published checkpoint names the sizes and tensors of our one transformer. Torch-free.

A shape is data: adding a family of a known shape adds no code. Tensors have "our" names, which are
those of Qwen2 and Llama without `model.`, and "their" names, which are those of the files.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import MISSING, dataclass, field, fields, replace
from typing import Any

from engine.config import Experts, ModelConfig
from engine.errors import CheckpointError

SIZES = {
    "num_layers": "num_hidden_layers",
    "width": "hidden_size",
    "num_heads": "num_attention_heads",
    "num_kv_heads": "num_key_value_heads",
    "head_dim": "head_dim",
    "mlp_width": "intermediate_size",
    "vocab_size": "vocab_size",
    "rope_theta": "rope_theta",
    "norm_eps": "rms_norm_eps",
    "max_positions": "max_position_embeddings",
}


@dataclass(frozen=True, slots=True)
class Stored:
    """Where one of our tensors lies: the rows of one of theirs, perhaps transposed, plus a number.

    `size` is that of their tensor as it lies there; `rows` None stands for all. Where theirs holds
    all experts of a layer, `expert` tells which.
    """

    name: str
    size: tuple[int, ...]
    rows: tuple[int, int] | None
    transposed: bool
    plus: float
    expert: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Shape:
    """One way of writing a checkpoint.

    `tensors` maps our names to theirs, {} the layer, {e} the expert: those with an {e}, or of the
    shared expert, are of the layers that have experts.
    """

    sizes: Mapping[str, str] = field(default_factory=lambda: SIZES)  # fields of ModelConfig: keys
    experts: Mapping[str, str] = field(default_factory=dict[str, str])  # fields of Experts: keys
    given: Mapping[str, Any] = field(default_factory=dict[str, Any])  # fields that have no key
    usual: Mapping[str, Any] = field(default_factory=dict[str, Any])  # what a missing key means
    fixed: Mapping[str, Any] = field(default_factory=dict[str, Any])  # the values keys may have
    tensors: Mapping[str, str]
    stacked: frozenset[str] = frozenset()  # of theirs: query, key and value in one
    ignored: tuple[str, ...] = ()  # how the names begin of what is there for other than text
    transposed: bool = False  # matrices lie (inputs, outputs)
    norms_less_one: bool = False  # the weights of norms are stored less 1
    scales_embedding: bool = False  # by the root of the width

    def config(self, data: Mapping[str, Any], *, tied: bool) -> ModelConfig:
        """Read the sizes out of a `config.json`.

        Raises:
            CheckpointError: naming the key that is missing, of another type, or not supported.
            ConfigError: if the sizes do not fit each other.
        """
        known, rope_scale = _flat({**self.usual, **data})
        for key, value in self.fixed.items():
            allowed = value if isinstance(value, tuple) else (value,)
            if known.get(key, allowed[0]) not in allowed:
                raise CheckpointError(
                    f"config.json: {key} is {known[key]!r}, only {allowed[0]!r} is supported"
                )
        found: dict[str, Any] = {field: known.get(key) for field, key in self.sizes.items()}
        if found["num_kv_heads"] is None:
            found["num_kv_heads"] = found["num_heads"]
        if all(type(found[name]) is int and found[name] > 0 for name in ("width", "num_heads")):
            if found.get("head_dim") is None:
                found["head_dim"] = found["width"] // found["num_heads"]
            if found["mlp_width"] is None and self.sizes["mlp_width"] == "n_inner":  # GPT-2's way
                found["mlp_width"] = 4 * found["width"]
        experts: Experts | None = None
        if self.experts:
            chosen = {field: known.get(key) for field, key in self.experts.items()}
            for name in ("has_bias", "normalised", "sigmoid"):
                chosen[name] = chosen.get(name) in (True, "sigmoid")
            if "shared_width" in chosen and type(chosen["shared_width"]) is int:
                chosen["shared_width"] *= known.get("num_shared_experts", 1)
            experts = Experts(**numbers(Experts, chosen, self.experts))
        window = known.get("sliding_window")
        if "sliding_window" in self.usual and isinstance(window, int) and window > 0:
            found["max_positions"] = min(found["max_positions"], window)
        return ModelConfig(
            **numbers(ModelConfig, found, self.sizes),
            **self.given,
            tied_embedding=tied,
            qk_norm="layers.{}.self_attn.q_norm.weight" in self.tensors,
            rope_scale=rope_scale,
            embedding_scale=found["width"] ** 0.5 if self.scales_embedding else 1.0,
            experts=experts,
        )

    def stored(self, config: ModelConfig) -> dict[str, Stored]:
        """Return where each of our tensors lies."""
        experts = config.experts
        first = experts.first if experts else config.num_layers
        found: dict[str, Stored] = {}
        for ours, theirs in self.tensors.items():
            layers = range(config.num_layers) if "{}" in ours else range(1)
            if config.windowed and ours.endswith("v_proj.weight"):  # a wide layer's is its key
                layers = [i for i in layers if i not in config.windowed.wide]
            if any(part in ours for part in (".experts.", ".shared_experts.", ".mlp.gate.")):
                layers = range(first, config.num_layers)
                if "shared" in ours and not (experts and experts.shared_width):
                    continue
                if ours.endswith("expert_bias") and not (experts and experts.has_bias):
                    continue
            elif ".mlp." in ours:
                layers = range(first)
            for i in layers:
                for e in range(experts.count) if experts and "{e}" in ours else range(1):
                    name = ours.format(i, e=e)
                    found[name] = self._stored(name, theirs.format(i, e=e), theirs, config)
                    if "{e}" in ours and "{e}" not in theirs:
                        found[name] = _among_experts(name, found[name], e, config)
        if config.tied_embedding:
            found["lm_head.weight"] = found["embed_tokens.weight"]
        return found

    def _stored(self, ours: str, name: str, theirs: str, config: ModelConfig) -> Stored:
        size, rows = size_of(ours, config), None
        if theirs in self.stacked:
            heads, kv_heads = (n * config.head_dim for n in (config.num_heads, config.num_kv_heads))
            start = {"q_proj": 0, "k_proj": heads, "v_proj": heads + kv_heads}[ours.split(".")[-2]]
            rows = (start, start + size[0])
            size = (heads + 2 * kv_heads, *size[1:])
        transposed = self.transposed and len(size) == 2 and ours.startswith("layers.")
        plus = 1.0 if self.norms_less_one and ours.endswith("norm.weight") else 0.0
        return Stored(name, size[::-1] if transposed else size, rows, transposed, plus)


def _among_experts(ours: str, stored: Stored, expert: int, config: ModelConfig) -> Stored:
    """Return where a matrix of an expert lies in (E, outputs, inputs), gates in front of ups."""
    assert config.experts
    rows, columns = stored.size
    part = ours.split(".")[-2]
    if part == "down_proj":
        return replace(stored, size=(config.experts.count, rows, columns), expert=expert)
    start = rows if part == "up_proj" else 0
    size = (config.experts.count, 2 * rows, columns)
    return replace(stored, size=size, rows=(start, start + rows), expert=expert)


def _flat(data: Mapping[str, Any]) -> tuple[dict[str, Any], float]:
    """Return a configuration without its rotary table, and by what positions are divided.

    Files of transformers 5 keep what concerns rotary positions in a table of its own.
    """
    rotary = data.get("rope_parameters") or data.get("rope_scaling") or {}
    if not isinstance(rotary, Mapping):
        raise CheckpointError(f"config.json: its rope_parameters are {rotary!r}, not a table")
    kind, factor = rotary.get("rope_type", rotary.get("type", "default")), 1.0
    if kind == "linear":
        factor = rotary.get("factor")
        if not isinstance(factor, int | float) or not factor >= 1:
            raise CheckpointError(f"config.json: the factor of its positions is {factor!r}")
    elif kind != "default":
        raise CheckpointError(f"config.json: rotary positions of type {kind!r} are not known")
    return {**rotary, **data}, float(factor)


def numbers(cls: type, found: Mapping[str, Any], keys: Mapping[str, str]) -> dict[str, Any]:
    """Check that values are numbers of the kind that the fields of a dataclass have."""
    kinds = {f.name: float if f.type == "float" else int for f in fields(cls)}
    optional = {f.name for f in fields(cls) if f.default is not MISSING}
    checked: dict[str, Any] = {}
    for name, value in found.items():
        key = keys.get(name, name)
        if value is None:
            if name in optional:
                continue
            raise CheckpointError(f"config.json: {key} is missing")
        if name in optional and isinstance(value, bool):
            checked[name] = value
            continue
        is_number = isinstance(value, (int, kinds[name])) and not isinstance(value, bool)
        if not is_number or not (value > 0 or (value == 0 and name in optional)):
            raise CheckpointError(f"config.json: {key} is {value!r}, not a number above 0")
        checked[name] = kinds[name](value)
    return checked


def size_of(ours: str, config: ModelConfig) -> tuple[int, ...]:
    """Return the size of one of our tensors."""
    part, kind = ours.split(".")[-2:]
    layer = int(ours.split(".")[1]) if ours.startswith("layers.") else 0
    kv_heads, head_dim = config.heads_of(layer)
    heads, kv_heads = config.num_heads * head_dim, kv_heads * head_dim
    inner = config.mlp_width
    if kind in ("context_scalar", "canvas_scalar"):
        return (1,)
    if experts := config.experts:
        if kind in ("expert_bias", "expert_scale"):
            return (experts.count,)
        if kind == "input_scale":
            return (config.width,)
        if part == "gate":
            return experts.count, config.width
        if ".experts." in ours:
            inner = experts.width
        elif ".shared_experts." in ours:
            inner = experts.shared_width
    rows = {"q_proj": heads, "k_proj": kv_heads, "v_proj": kv_heads, "o_proj": config.width}
    rows |= {"gate_proj": inner, "up_proj": inner, "down_proj": config.width}
    if part in ("embed_tokens", "lm_head"):
        return config.vocab_size, config.width
    if part == "embed_positions":
        return config.max_positions, config.width
    if part in ("q_norm", "k_norm"):
        return (head_dim,)
    if part not in rows:
        return (config.width,)
    columns = {"o_proj": heads, "down_proj": inner}.get(part, config.width)
    return (rows[part],) if kind == "bias" else (rows[part], columns)
