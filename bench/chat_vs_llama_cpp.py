#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Tokens per second of the chat example beside llama.cpp: one file, one machine, the same threads, one run.

Runs take turns (chat, llama.cpp, chat, …), so that a machine that gets slower slows both; each figure is the median of
--runs with the smallest and largest. Prefill is the prompt in one batch, decode is one token at a time behind it.
Needs `ci/setup --long` and a build. llama.cpp comes through its C interface from the Python package xllamacpp and gets
the very tokens that chat used. Its decode figure leaves out the choice of the token, chat's includes it.
"""
import argparse
import ctypes
import importlib.metadata
import os
import pathlib
import re
import statistics
import subprocess
import sys
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "tests" / "reference"))
import llama_cpp_top20 as peer  # noqa: E402

PROMPT = (
    "Here is a short text. A hardware abstraction layer hides what is particular to a device behind an interface that "
    "every device can honour. Programs then state what they want computed, and leave to the layer where memory comes "
    "from, in which order commands run, and how the host learns that they have finished. The price is a little work on "
    "every call, and the layer is only worth having when that price is too small to notice. Explain in a few sentences "
    "what the text says, and name one advantage and one disadvantage of such a layer."
)
SPEED = re.compile(r"^(prefill|decode) (\d+) tokens ([0-9.]+) tokens/s", re.MULTILINE)


def run_chat(options, extra=()):
    """{"prefill": (tokens, tokens per second), "decode": …} and the standard error text."""
    environment = {key: value for key, value in os.environ.items() if not key.startswith("HALYARD_")}
    environment.update(HALYARD_BACKEND="cpu", HALYARD_CPU_THREADS=str(options.threads))
    command = [options.chat, "--model", options.model, "--greedy", "-n", str(options.tokens), *extra, PROMPT]
    result = subprocess.run(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    found = {name: (int(count), float(speed)) for name, count, speed in SPEED.findall(result.stderr)}
    if result.returncode != 0 or set(found) != {"prefill", "decode"}:
        sys.exit(f"chat failed or told no speed:\n{result.stderr}")
    return found, result.stderr


def prompt_tokens(options):
    tokens = [int(token) for token in re.findall(r"^prompt (\d+)$", run_chat(options, ["--tokens"])[1], re.MULTILINE)]
    if not tokens:
        sys.exit("chat --tokens printed no token ids")
    return tokens


class Llama(peer.Model):
    def __init__(self, options):
        super().__init__(options.library or peer.find_library(), options.model)
        self.lib.llama_free.restype, self.lib.llama_free.argtypes = None, [ctypes.c_void_p]
        self.threads = options.threads

    def decode(self, context, tokens):
        array = (peer.Token * len(tokens))(*tokens)
        status = self.lib.llama_decode(context, self.lib.llama_batch_get_one(array, len(tokens)))
        if status != 0 or not self.lib.llama_get_logits_ith(context, -1):
            sys.exit(f"llama_decode returned {status}")

    def run(self, tokens, count):
        """The same shape as run_chat(): all of the prompt, then `count` tokens one by one."""
        context = self.lib.llama_init_from_model(self.model, self.lib.llama_context_default_params())
        if not context or self.lib.llama_n_ctx(context) < len(tokens) + count:
            sys.exit("llama.cpp cannot make a context that is long enough")
        self.lib.llama_set_n_threads(context, self.threads, self.threads)
        start = time.perf_counter()
        self.decode(context, tokens)
        middle = time.perf_counter()
        for i in range(count):
            self.decode(context, [tokens[i % len(tokens)]])
        end = time.perf_counter()
        self.lib.llama_free(context)
        return {"prefill": (len(tokens), len(tokens) / (middle - start)), "decode": (count, count / (end - middle))}


def print_table(options, ours, theirs):
    version = "unknown version" if options.library else f"xllamacpp {importlib.metadata.version('xllamacpp')}"
    print(f"model {pathlib.Path(options.model).name}, {options.threads} threads, {options.runs} runs each, taking turns; "
          f"tokens per second, median (smallest to largest)\n")
    print(f"| phase | tokens | chat (cpu backend) | llama.cpp ({version}) | ratio |\n|---|---|---|---|---|")
    for phase in ("prefill", "decode"):
        cells, medians = [], []
        for runs in (ours, theirs):
            speeds = [run[phase][1] for run in runs]
            medians.append(statistics.median(speeds))
            cells.append(f"{medians[-1]:.1f} ({min(speeds):.1f} to {max(speeds):.1f})")
        print(f"| {phase} | {ours[0][phase][0]} | {cells[0]} | {cells[1]} | {medians[0] / medians[1]:.2f} |")


def parse():
    cache = pathlib.Path(os.environ.get("XDG_CACHE_HOME") or pathlib.Path.home() / ".cache") / "halyard"
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--chat", default=str(ROOT / "build/default/bin/chat"))
    parser.add_argument("--model", default=str(cache / "models/SmolLM2-135M-Instruct.Q4_1.gguf"))
    parser.add_argument("--threads", type=int, default=len(os.sched_getaffinity(0)))
    parser.add_argument("--tokens", type=int, default=64, help="to decode")
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--library", help="another libllama than xllamacpp's")
    return parser.parse_args()


def main():
    options = parse()
    tokens = prompt_tokens(options)  # also warms the file's pages for both
    llama = Llama(options)
    llama.run(tokens, 4)
    ours, theirs = [], []
    for _ in range(options.runs):
        ours.append(run_chat(options)[0])
        theirs.append(llama.run(tokens, ours[-1]["decode"][0]))
    print_table(options, ours, theirs)


if __name__ == "__main__":
    main()
