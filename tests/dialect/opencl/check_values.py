# SPDX-License-Identifier: Apache-2.0
"""What the kernels of groups.haly.c write, against the same made here: check_values.py KERNEL < words"""
import struct
import sys


def group_right():
    """Two groups of 80 words each: running sums, the largest, the count that broken-off items left."""
    sums = [(t + 1) * (t + 2) // 2 for t in range(64)]
    counted = sum(1 if t % 3 == 0 else 101 for t in range(1, 64, 2))
    return 2 * (sums + [sums[-1], counted] + 14 * [0])


def all_halves():
    """Each half as the bits of a float, then back; NaN comes back quiet."""
    wide, back = [], []
    for bits in range(65536):
        is_nan = bits & 0x7C00 == 0x7C00 and bits & 0x3FF
        if is_nan:
            wide.append((bits & 0x8000) << 16 | 0x7F800000 | (bits & 0x3FF) << 13)
        else:
            wide.append(struct.unpack("<I", struct.pack("<f", struct.unpack("<e", struct.pack("<H", bits))[0]))[0])
        back.append(bits | 0x200 if is_nan else bits)
    return wide + back


def main():
    expected = {"group_right": group_right, "all_halves": all_halves}[sys.argv[1]]()
    found = [int(line) for line in sys.stdin]
    wrong = [i for i, (a, b) in enumerate(zip(expected, found)) if a != b]
    print(f"{len(found)} words, {len(expected)} expected, {len(wrong)} differ, first at {wrong[:5]}")
    return 1 if wrong or len(found) != len(expected) else 0


if __name__ == "__main__":
    sys.exit(main())
