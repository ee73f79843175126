#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Writes model files that are wrong in one way each, and what the complaint about each must say.

  bad_models.py GOOD.gguf FOLDER     prints "file TAB pattern TAB what" lines

The wrong files are short: the head of the good one with a few bytes changed, as sparse as the change allows.
"""
import pathlib
import struct
import sys

HEAD = 1 << 20


def patched(data, offset, value):
    return data[:offset] + value + data[offset + len(value):]


def find_tensor_type(data, name):
    """Offset of a tensor's type in its table entry: behind the name, the rank and the dimensions."""
    key = struct.pack("<Q", len(name)) + name.encode()
    at = data.find(key)
    if at < 0:
        sys.exit(f"the model has no tensor {name}")
    at += len(key)
    (rank,) = struct.unpack_from("<I", data, at)
    return at + 4 + 8 * rank


def variants(good, size):
    """(file, bytes, wanted size or None, pattern, what)"""
    # The table of tensors stands behind the vocabulary; both are in the first few MiB.
    kind = find_tensor_type(good, "blk.0.attn_q.weight")
    dims = kind - 16
    offset = kind + 4
    head = good[:kind + HEAD]
    yield "empty.gguf", b"", None, "empty|truncated|expected", "empty file"
    yield "text.gguf", b"This is not a model.\n" * 8, None, "GGUF|magic", "text file"
    yield "magic_only.gguf", good[:4], None, "truncated|expected", "ends behind the magic"
    yield "truncated_head.gguf", good[:4000], None, "truncated|expected|past", "ends in the metadata"
    yield "truncated_data.gguf", good[: 4 << 20], None, "truncated|expected|past", "ends in the weights"
    yield "one_short.gguf", None, size - 1, "truncated|expected|past", "last byte missing"
    yield "version.gguf", patched(head, 4, struct.pack("<I", 99)), size, "version", "unknown version"
    yield "tensor_count.gguf", patched(head, 8, struct.pack("<Q", 2**62)), size, "tensor", "absurd number of tensors"
    yield "key_count.gguf", patched(head, 16, struct.pack("<Q", 2**62)), size, "key|metadata", "absurd number of keys"
    yield "key_length.gguf", patched(head, 24, struct.pack("<Q", 2**63)), size, "key|length|string", "absurd key length"
    yield "type.gguf", patched(head, kind, struct.pack("<I", 250)), size, "type", "unknown tensor type"
    yield "rank.gguf", patched(head, dims - 4, struct.pack("<I", 77)), size, "rank|dimension", "absurd rank"
    yield "dims.gguf", patched(head, dims, struct.pack("<QQ", 2**40, 2**40)), size, "attn_q|overflow|dimension|size", \
        "dimensions that overflow"
    yield "shape.gguf", patched(head, dims, struct.pack("<QQ", 576, 64)), size, "attn_q", "wrong shape"
    yield "offset.gguf", patched(head, offset, struct.pack("<Q", 2**63)), size, "attn_q|offset", "offset past the end"
    yield "overlap.gguf", patched(head, offset, struct.pack("<Q", 0)), size, "attn_q|overlap", "overlapping tensors"
    yield "misaligned.gguf", patched(head, offset, struct.pack("<Q", 33)), size, "attn_q|align|offset", "misaligned tensor"


def main():
    good_path, folder = pathlib.Path(sys.argv[1]), pathlib.Path(sys.argv[2])
    good = good_path.read_bytes()
    for name, data, size, pattern, what in variants(good, len(good)):
        path = folder / name
        with open(path, "wb") as stream:
            stream.write(good[:size] if data is None else data)
            if size is not None:
                stream.truncate(size)
        print(name, pattern, what, sep="\t")


if __name__ == "__main__":
    main()
