#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Compares logits with those of an evaluation in double precision: compare_logits.py OURS.f32 REFERENCE.f32

The numerics contract bounds each operator; through a network of L layers those bounds add up to a small fraction of the
logits' own spread, largest less smallest (sums of a few thousand floats are good to about 1e-6). Exit 0 when no logit is
off by more than --relative of the spread and the likeliest token is the same.
"""
import argparse
import array
import math
import sys


def read(path):
    values = array.array("f")
    with open(path, "rb") as stream:
        values.frombytes(stream.read())
    return values


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("ours")
    parser.add_argument("reference")
    parser.add_argument("--relative", type=float, default=1e-5)
    options = parser.parse_args()
    ours, reference = read(options.ours), read(options.reference)
    if len(ours) != len(reference) or not reference:
        sys.exit(f"expected {len(reference)} logits, found {len(ours)}")
    if not all(map(math.isfinite, ours)):
        sys.exit("a logit is not finite")
    spread = max(reference) - min(reference)
    worst = max(range(len(ours)), key=lambda token: abs(ours[token] - reference[token]))
    off = abs(ours[worst] - reference[worst])
    first, wanted = (max(range(len(v)), key=v.__getitem__) for v in (ours, reference))
    print(f"{len(ours)} logits, spread {spread:.4f}, largest difference {off:.3g} (token {worst}) = {off / spread:.3g} of "
          f"it; likeliest token {first}, in the reference {wanted}")
    if off > options.relative * spread:
        sys.exit(f"beyond {options.relative} of the spread")
    if first != wanted:
        sys.exit("another token is likeliest")


if __name__ == "__main__":
    main()
