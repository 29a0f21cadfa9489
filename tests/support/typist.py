"""A model of the engine that types what a function tells it, a byte a token."""

import tiny
import torch

from engine.cache import Cache
from engine.model import Transformer

TOKENIZER = tiny.tokenizer()
VOCABULARY = tiny.vocabulary()
END = VOCABULARY.special["<|im_end|>"]
STARTS = "assistant\n```python\n"


class Typist:
    """Types the rest of what `answer(question, begun)` gives for an answer that has been begun.

    `answer` returns the whole answer it has in mind and, perhaps, where else it was in doubt: a
    place in it and the character it would have typed there.
    """

    has_adapter = False
    mask_vector = draft_head = None
    is_by_token = False
    device = torch.device("cpu")
    opened, branched = Transformer.opened, Transformer.branched

    def __init__(self, answer):
        self._answer = answer
        self._tokens = []
        self.config = tiny.config_of(tiny.reference())
        self.questions = []

    def new_cache(self, capacity):
        return Cache.new(self.config, capacity, torch.float32, torch.device("cpu"))

    def encode(self, ids, cache, *, block=None, only=None):
        self._tokens[cache.length :] = ids
        states = torch.arange(cache.length, cache.length + len(ids))[:, None]
        return states if only is None else states[only]

    def decode_each(self, runs, *, adapted=False):
        return [self.encode(ids, cache) for ids, cache in runs]

    def logits(self, hidden):
        logits = torch.zeros(len(hidden), len(VOCABULARY.tokens))
        for row, place in zip(logits, hidden[:, 0].tolist(), strict=True):
            question, _, begun = TOKENIZER.decode(self._tokens[: place + 1]).rpartition(STARTS)
            if question not in self.questions:
                self.questions.append(question)
            whole, doubts = self._answer(question, begun)
            at = len(begun)
            follows = whole.startswith(begun) and at < len(whole)
            row[TOKENIZER.encode(whole[at])[0] if follows else END] = 20.0
            if follows and at in doubts:
                row[TOKENIZER.encode(doubts[at])[0]] = 18.0
        return logits
