import torch

from engine.scoring import confidence, likeliest, logprobs_of


def test_the_likeliest_token_is_what_torch_says():
    generator = torch.Generator().manual_seed(0)
    logits = torch.randn(7, 1001, generator=generator)
    logits[2, 5:] = -torch.inf
    logits[3] = 1.0  # all alike: the first
    logits[4, [9, 700]] = 8.0
    assert likeliest(logits).tolist() == logits.argmax(-1).tolist()
    assert likeliest(logits)[3:5].tolist() == [0, 9]
    assert likeliest(logits[:, ::3]).tolist() == logits[:, ::3].argmax(-1).tolist()
    assert likeliest(logits.bfloat16()).tolist() == logits.bfloat16().argmax(-1).tolist()


def test_tokens_are_as_likely_as_the_softmax_says():
    logits = torch.randn(5, 333, generator=torch.Generator().manual_seed(1)) * 5
    logits[1, :300] = -torch.inf
    ids = torch.tensor([0, 320, 17, 332, 5])
    expected = logits.double().softmax(-1)
    own = expected.gather(1, ids[:, None])[:, 0]
    torch.testing.assert_close(logprobs_of(logits, ids).exp().double(), own, rtol=1e-5, atol=1e-9)
    guess, sureness = confidence(logits)
    torch.testing.assert_close(sureness.double(), expected.amax(-1), rtol=1e-5, atol=1e-9)
    assert guess.tolist() == expected.argmax(-1).tolist()
