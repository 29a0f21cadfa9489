"""Requests in the shapes that other tools send, and the fields that they read of the answers.

The shapes are those of the tools' sources, each named above its request, in November 2026.
"""

import json

import pytest
from scripted_engine import FILL

PREFIX, SUFFIX = "def mean(marks):\n    ", "\n\nprint(mean([1, 2]))\n"
# ggml-org/llama.vim, autoload/llama.vim, function llama#fim
LLAMA_VIM = {
    "input_prefix": "def mean(marks):\n",
    "input_suffix": SUFFIX,
    "input_extra": [{"text": "import math\n", "time": [1, 2], "filename": "a.py"}],
    "prompt": "    ",
    "n_predict": 128,
    "model": "",
    "stop": [],
    "n_indent": 4,
    "top_k": 40,
    "top_p": 0.90,
    "stream": False,
    "samplers": ["top_k", "top_p", "infill"],
    "cache_prompt": True,
    "t_max_prompt_ms": 500,
    "t_max_predict_ms": 1000,
    "response_fields": [
        "content",
        "timings/prompt_n",
        "timings/prompt_ms",
        "timings/prompt_per_token_ms",
        "timings/prompt_per_second",
        "timings/predicted_n",
        "timings/predicted_ms",
        "timings/predicted_per_token_ms",
        "timings/predicted_per_second",
        "truncated",
        "tokens_cached",
    ],
}
# ggml-org/llama.vscode, src/llama-server.ts, createRequestPayload
LLAMA_VSCODE = {
    "input_prefix": "def mean(marks):\n",
    "input_suffix": SUFFIX,
    "input_extra": [],
    "prompt": "    ",
    "n_predict": 128,
    "top_k": 40,
    "top_p": 0.99,
    "stream": False,
    "samplers": ["top_k", "top_p", "infill"],
    "cache_prompt": True,
    "n_indent": 4,
    "t_max_prompt_ms": 500,
    "t_max_predict_ms": 2500,
}
# milanglacier/minuet-ai.nvim, lua/minuet/backends/openai_base.lua, complete_openai_fim_base
MINUET = {
    "model": "diffill",
    "stream": True,
    "max_tokens": 256,
    "stop": ["\n\n"],
    "prompt": PREFIX,
    "suffix": SUFFIX,
}
# continuedev/continue, core/llm/llms/OpenAI.ts, _streamFim
CONTINUE_FIM = {
    "model": "diffill",
    "prompt": PREFIX,
    "suffix": SUFFIX,
    "max_tokens": 256,
    "temperature": 0.01,
    "stop": ["<|endoftext|>", "<|fim_prefix|>"],
    "stream": True,
}
# continuedev/continue, core/llm/llms/LlamaCpp.ts, with core/autocomplete's template for Qwen
CONTINUE_LLAMA_CPP = {
    "prompt": f"<|fim_prefix|>{PREFIX}<|fim_suffix|>{SUFFIX}<|fim_middle|>",
    "stream": True,
    "n_predict": 256,
    "stop": ["<|endoftext|>", "<|fim_prefix|>"],
    "temperature": 0.01,
}
# zed-industries/zed, crates/edit_prediction/src/open_ai_compatible.rs and fim.rs
ZED_COMPATIBLE = {
    "model": "qwen2.5-coder",
    "prompt": f"<|fim_prefix|>{PREFIX}<|fim_suffix|>{SUFFIX}<|fim_middle|>",
    "max_tokens": 64,
    "stop": ["<|endoftext|>", "<|fim_prefix|>", "<|fim_middle|>", "<|fim_suffix|>"],
}
# zed-industries/zed, crates/codestral/src/codestral.rs
ZED_CODESTRAL = {
    "model": "codestral-latest",
    "prompt": PREFIX,
    "suffix": SUFFIX,
    "max_tokens": 150,
    "temperature": 0.2,
    "top_p": 1.0,
    "stream": False,
}
# zed-industries/zed, crates/edit_prediction/src/mercury.rs, build_prompt
ZED_MERCURY = {
    "model": "mercury-coder",
    "messages": [
        {
            "role": "user",
            "content": "<|recently_viewed_code_snippets|>\n<|recently_viewed_code_snippet|>\n"
            "code_snippet_file_path: other.py\nimport math\n<|/recently_viewed_code_snippet|>\n"
            "<|/recently_viewed_code_snippets|>\n<|current_file_content|>\n"
            "current_file_path: marks.py\nimport sys\n<|code_to_edit|>\n"
            f"{PREFIX}<|cursor|>{SUFFIX}<|/code_to_edit|>\nend = 1\n<|/current_file_content|>\n"
            "<|edit_diff_history|>\n<|/edit_diff_history|>\n",
        }
    ],
    "stream": False,
    "stop": [],
    "tools": [],
}
WHOLE = [PREFIX + SUFFIX, len(PREFIX)]


def events(response):
    """Return the data of a stream's events."""
    assert response.headers["content-type"].startswith("text/event-stream")
    blocks = response.text.split("\n\n")
    assert blocks.pop() == ""
    return [block.removeprefix("data: ") for block in blocks]


async def test_llama_vim(served, asked):
    async with served() as client:
        response = await client.post("/infill", json=LLAMA_VIM)
    assert '"content":"' in response.text  # it looks for this, without a blank
    answer = response.json()
    assert set(answer) == set(LLAMA_VIM["response_fields"])
    assert answer["content"] == FILL
    assert answer["timings/prompt_n"] == 7
    assert (answer["timings/predicted_n"], answer["timings/predicted_ms"]) == (5, 500.0)
    assert asked() == [WHOLE]


async def test_llama_vims_quick_first_request_gets_one_line(served):
    async with served() as client:
        response = await client.post("/infill", json=LLAMA_VIM | {"t_max_predict_ms": 250})
    assert response.json()["content"] == FILL.split("\n")[0]


async def test_llama_vscode(served, asked):
    async with served() as client:
        answer = (await client.post("/infill", json=LLAMA_VSCODE)).json()
        # It warms up the cache of what it will send next.
        warm = {"input_prefix": "", "input_suffix": "", "input_extra": [], "prompt": ""}
        warmed = await client.post("/infill", json=warm | {"n_predict": 0, "t_max_predict_ms": 1})
    assert (answer["content"], answer["truncated"], answer["tokens_cached"]) == (FILL, False, 0)
    assert answer["timings"]["predicted_n"] == 5
    assert warmed.json()["content"] == ""
    assert asked() == [WHOLE]  # so the second did no work


async def test_minuet(served, asked):
    async with served() as client:
        response = await client.post("/v1/completions", json=MINUET)
    *chunks, end = events(response)
    assert end == "[DONE]"
    texts = [json.loads(chunk)["choices"][0]["text"] for chunk in chunks]
    assert "".join(texts) == FILL
    assert asked() == [WHOLE]


async def test_minuet_on_mercurys_route(served):
    async with served() as client:
        response = await client.post("/v1/fim/completions", json=MINUET)
    *chunks, _ = events(response)
    assert "".join(json.loads(chunk)["choices"][0]["text"] for chunk in chunks) == FILL


async def test_continue(served, asked):
    async with served() as client:
        response = await client.post("/v1/fim/completions", json=CONTINUE_FIM)
    *chunks, _ = events(response)
    texts = [json.loads(chunk)["choices"][0]["delta"]["content"] for chunk in chunks]
    assert "".join(texts) == FILL
    assert asked() == [WHOLE]


async def test_continue_on_llama_cpp(served, asked):
    async with served() as client:
        response = await client.post("/completion", json=CONTINUE_LLAMA_CPP)
    chunks = [json.loads(event) for event in events(response)]
    assert "".join(chunk["content"] for chunk in chunks) == FILL
    assert [chunk["stop"] for chunk in chunks] == [False, True]
    assert asked() == [WHOLE]


async def test_zed_with_a_compatible_server(served, asked):
    async with served() as client:
        answer = (await client.post("/v1/completions", json=ZED_COMPATIBLE)).json()
    assert answer["choices"][0]["text"] == FILL
    assert answer["id"]
    assert asked() == [WHOLE]


async def test_zed_with_codestral(served, asked):
    async with served() as client:
        answer = (await client.post("/v1/fim/completions", json=ZED_CODESTRAL)).json()
    assert {"id", "object", "model", "usage", "created"} <= set(answer)
    assert answer["usage"] == {"prompt_tokens": 7, "completion_tokens": 5, "total_tokens": 12}
    [choice] = answer["choices"]
    assert choice["message"] == {"role": "assistant", "content": FILL}
    assert (choice["index"], choice["finish_reason"]) == (0, "stop")
    assert asked() == [WHOLE]


async def test_zed_with_mercury(served, asked):
    async with served() as client:
        answer = (await client.post("/v1/edit/completions", json=ZED_MERCURY)).json()
    content = answer["choices"][0]["message"]["content"]
    rewritten = content.removeprefix("```\n").removesuffix("\n```")
    assert rewritten == PREFIX + FILL + SUFFIX
    before = "import sys\n" + PREFIX
    assert asked() == [[before + SUFFIX + "end = 1\n", len(before)]]


@pytest.mark.parametrize(
    ("path", "body", "content"),
    [
        ("/infill", {"input_prefix": "REFUSE", "input_suffix": ""}, ""),
        ("/v1/completions", {"prompt": "REFUSE"}, ""),
        (
            "/v1/edit/completions",
            {
                "messages": [
                    {
                        "role": "user",
                        "content": "<|current_file_content|>\nREFUSE<|code_to_edit|>\n<|cursor|>"
                        "<|/code_to_edit|>\n<|/current_file_content|>",
                    }
                ]
            },
            "None",
        ),
    ],
)
async def test_what_the_parser_refuses_is_not_shown(served, path, body, content):
    async with served() as client:
        answer = (await client.post(path, json=body)).json()
    whole = answer["choices"][0] if "choices" in answer else answer
    shown = whole.get("content", whole.get("text", whole.get("message", {}).get("content")))
    assert shown == content
    assert whole["refused"] == ["line 1: a new syntax error"]


async def test_a_stop_cuts_the_text(served):
    async with served() as client:
        body = {"prompt": "a", "suffix": "b", "stop": ["\n", "second"]}
        answer = (await client.post("/v1/completions", json=body)).json()
    assert answer["choices"][0]["text"] == FILL.split("\n")[0]
    assert answer["choices"][0]["finish_reason"] == "stop"


async def test_a_full_fill_says_so(served):
    async with served() as client:
        body = {"prompt": "a", "suffix": "b", "max_tokens": 5}
        answer = (await client.post("/v1/completions", json=body)).json()
    assert answer["choices"][0]["finish_reason"] == "length"
    assert answer["usage"]["completion_tokens"] == 5
