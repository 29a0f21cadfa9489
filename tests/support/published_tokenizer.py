"""The tokenizer of the tiny checkpoints: byte pairs, and the special tokens of all families."""

import json

import tiny

SPECIAL = (
    "<|endoftext|>",
    "<|im_start|>",
    "<|im_end|>",
    "<|fim_prefix|>",
    "<|fim_middle|>",
    "<|fim_suffix|>",
    "<|fim_pad|>",
    "<|repo_name|>",
    "<|file_sep|>",
    "<|beginoftext|>",
    "<|startoftext|>",
    "<s>",
    "<|mask|>",
    "<|mdm_mask|>",
    "[MASK]",
    "<|expand|>",
    "|<MASK>|",
    "<|MASK|>",
    "<|role_end|>",
    "<[begin▁of▁sentence]>",
    "<[end▁of▁sentence]>",
    "<[fim-prefix]>",
    "<[fim-suffix]>",
    "<[fim-middle]>",
    "<fim_prefix>",
    "<fim_suffix>",
    "<fim_middle>",
    "<file_sep>",
    "<｜begin▁of▁sentence｜>",
    "<｜end▁of▁sentence｜>",
    "<｜fim▁begin｜>",
    "<｜fim▁hole｜>",
    "<｜fim▁end｜>",
    "<bos>",
    "<eos>",
    "<|file_separator|>",
    "<|turn>",
    "<turn|>",
)
MERGES = ["Ġ Ġ", "i n", "r e", "re t"]
WORDS = [*tiny.byte_characters(), *(m.replace(" ", "") for m in MERGES)]
IDS = {name: len(WORDS) + i for i, name in enumerate(SPECIAL)}
VOCAB = len(WORDS) + len(SPECIAL) + 3  # padding rows, as the real ones have


def write_tokenizer(folder, *, files="json"):
    """Write tokenizer.json (as Qwen2's: NFC, added tokens), or the older two files (as Dream's)."""
    ids = {word: i for i, word in enumerate(WORDS)}
    if files == "older":
        (folder / "vocab.json").write_text(json.dumps(ids), "utf-8")
        (folder / "merges.txt").write_text("\n".join(["#version: 0.2", *MERGES]) + "\n", "utf-8")
        added = {str(i): {"content": name, "special": True} for name, i in IDS.items()}
        settings = {"added_tokens_decoder": added, "tokenizer_class": "DreamTokenizer"}
        (folder / "tokenizer_config.json").write_text(json.dumps(settings), "utf-8")
        return
    split = (
        r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*"
        r"|\s*[\r\n]+|\s+(?!\S)|\s+"
    )
    flags = {"single_word": False, "lstrip": False, "rstrip": False, "normalized": False}
    byte_level = {
        "type": "ByteLevel",
        "add_prefix_space": False,
        "trim_offsets": False,
        "use_regex": False,
    }
    data = {
        "version": "1.0",
        "truncation": None,
        "padding": None,
        "added_tokens": [
            {"id": i, "content": name, "special": "fim" not in name} | flags
            for name, i in IDS.items()
        ],
        "normalizer": {"type": "NFC"},
        "pre_tokenizer": {
            "type": "Sequence",
            "pretokenizers": [
                {
                    "type": "Split",
                    "pattern": {"Regex": split},
                    "behavior": "Isolated",
                    "invert": False,
                },
                byte_level,
            ],
        },
        "post_processor": byte_level,
        "decoder": byte_level,
        "model": {
            "type": "BPE",
            "dropout": None,
            "unk_token": None,
            "continuing_subword_prefix": "",
            "end_of_word_suffix": "",
            "fuse_unk": False,
            "byte_fallback": False,
            "vocab": ids,
            "merges": MERGES,
        },
    }
    (folder / "tokenizer.json").write_text(json.dumps(data), "utf-8")
