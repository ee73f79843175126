#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Compares our logits of a next token with llama.cpp's 20 likeliest tokens.

  compare_top20.py LOGITS.f32 TOP20.txt [--tolerance T]

LOGITS.f32 holds one f32 per token (llama_reference --binary), TOP20.txt what llama_cpp_top20.py printed. llama.cpp
rounds activations to 8 bits, so its logits differ from exact ones and close neighbours change places. Exit 0 when each
of its 20 is among our 20 or within T of the last of them, and no logit of theirs differs from ours by more than T.
"""
import argparse
import array
import sys


def read_top(path):
    with open(path, encoding="ascii") as lines:
        top = {int(token): float(logit) for token, logit in (line.split() for line in lines)}
    if not top:
        sys.exit(f"{path}: expected \"token logit\" lines, found none")
    return top


def read_logits(path):
    logits = array.array("f")
    with open(path, "rb") as stream:
        logits.frombytes(stream.read())
    return logits


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("logits")
    parser.add_argument("top20")
    parser.add_argument("--tolerance", type=float, default=1.0)
    options = parser.parse_args()

    theirs, logits = read_top(options.top20), read_logits(options.logits)
    if max(theirs) >= len(logits):
        sys.exit(f"expected logits for token {max(theirs)}, found {len(logits)}")
    ours = sorted(range(len(logits)), key=lambda token: (-logits[token], token))[:len(theirs)]
    last = logits[ours[-1]]
    missing = [token for token in theirs if not logits[token] >= last - options.tolerance]
    largest = max(abs(logits[token] - theirs[token]) for token in theirs)
    same_first = ours[0] == max(theirs, key=theirs.get)
    print(f"{len(set(ours) & set(theirs))} of {len(theirs)} in common, first {'same' if same_first else 'different'}, "
          f"largest difference {largest:.4f}")
    if missing or not largest <= options.tolerance:
        sys.exit(f"beyond the tolerance of {options.tolerance}: missing {missing}, largest difference {largest:.4f}")


if __name__ == "__main__":
    main()
