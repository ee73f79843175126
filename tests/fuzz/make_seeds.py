#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Writes the seeds of the binary fuzz targets into corpus/, one file for each thing that a format can say or get wrong.

make_seeds.py [--check]: with --check nothing is written, and a seed that is missing or differs is an error. Seeds of
targets that read text are kept by hand, and so are inputs that fuzzing found; their names do not matter here.
"""
import pathlib
import struct
import sys

CORPUS = pathlib.Path(__file__).resolve().parent / "corpus"

# ---- GGUF ----

U8, I8, U16, I16, U32, I32, F32, BOOL, STRING, ARRAY, U64, I64, F64 = range(13)
FORMATS = {U8: "B", I8: "b", U16: "H", I16: "h", U32: "I", I32: "i", F32: "f", BOOL: "B", U64: "Q", I64: "q", F64: "d"}


def text(value):
    raw = value if isinstance(value, bytes) else value.encode()
    return struct.pack("<Q", len(raw)) + raw


def plain(kind, value):
    return text(value) if kind == STRING else struct.pack("<" + FORMATS[kind], value)


def key(name, kind, value):
    return text(name) + struct.pack("<I", kind) + plain(kind, value)


def array(name, kind, values, count=None):
    return (text(name) + struct.pack("<IIQ", ARRAY, kind, len(values) if count is None else count) +
            b"".join(plain(kind, value) for value in values))


def tensor(name, dims, kind, offset, rank=None):
    return (text(name) + struct.pack("<I", len(dims) if rank is None else rank) +
            b"".join(struct.pack("<Q", dim) for dim in dims) + struct.pack("<IQ", kind, offset))


def gguf(keys=(), tensors=(), data=b"", version=3, magic=b"GGUF", alignment=32, key_count=None, tensor_count=None):
    head = magic + struct.pack("<IQQ", version, len(tensors) if tensor_count is None else tensor_count,
                               len(keys) if key_count is None else key_count) + b"".join(keys) + b"".join(tensors)
    if tensors:
        head += b"\0" * (-len(head) % alignment)
    return head + data


def gguf_good():
    numbers = [(kind, 1) for kind in FORMATS]
    one_of_each = [tensor("f32", [2, 2], 0, 0), tensor("f16", [4], 1, 32), tensor("q4_0", [32], 2, 64),
                   tensor("q4_1", [32, 1, 1, 1], 3, 96), tensor("q8_0", [32, 2], 8, 128), tensor("bf16", [1, 3], 30, 224)]
    yield "nothing", gguf()
    yield "version_2", gguf([key("a", U32, 7)], version=2)
    yield "every_type", gguf([key(f"k{kind}", kind, value) for kind, value in numbers] + [key("text", STRING, "h\u00e4")])
    yield "every_array", gguf([array(f"a{kind}", kind, [value, 0]) for kind, value in numbers] +
                              [array("texts", STRING, ["", "x", "\u4e16"]), array("none", U8, [])])
    yield "keys_of_one_start", gguf([key("abc", U8, 1), key("ab", U8, 2), key("abcd", U8, 3)])
    yield "every_tensor_type", gguf([], one_of_each, bytes(range(230)))
    yield "alignment_8", gguf([key("general.alignment", U32, 8)], [tensor("a", [1], 0, 8), tensor("b", [1], 0, 0)],
                              b"12345678abcd", alignment=8)
    yield "alignment_64_no_tensors", gguf([key("general.alignment", U32, 64)])


def gguf_bad_values():
    yield "empty", b""
    yield "magic", gguf(magic=b"GG\nF")
    yield "magic_cut", b"GGU"
    yield "version", gguf(version=1)
    yield "version_big_endian", gguf(version=0x03000000)
    yield "version_cut", b"GGUF\x03"
    yield "counts_cut", b"GGUF" + struct.pack("<IQ", 3, 0)
    yield "tensor_count", gguf(tensor_count=2**63)
    yield "key_count", gguf(key_count=2**63)
    yield "key_missing", gguf([key("a", U8, 1)], key_count=2, data=b"\0" * 9)
    yield "key_no_name", gguf([key("", U8, 1)])
    yield "key_long", gguf([text(b"k" * 65536) + struct.pack("<IB", U8, 1)])
    yield "key_size", gguf([struct.pack("<Q", 2**64 - 8) + b"key" + b"\0" * 20])
    yield "key_not_utf8", gguf([key(b"a\xc0\x80", U8, 1)])
    yield "key_overlong", gguf([key(b"\xe0\x80\x80\xf0\x80\x80\x80", U8, 1)])
    yield "key_surrogate", gguf([key(b"\xed\xa0\x80", U8, 1)])
    yield "key_too_high", gguf([key(b"\xf4\x90\x80\x80", U8, 1)])
    yield "key_cut_in_a_character", gguf([key(b"a\xf0\x9f\x98", U8, 1)])
    yield "key_twice", gguf([key("a", U8, 1), key("a", U8, 2)])
    yield "key_type_cut", gguf(key_count=1, data=text("abcdefgh") + b"\0\0\0")
    yield "array_type_cut", gguf([text("a") + struct.pack("<I", ARRAY)], data=b"\0\0")
    yield "number_cut", gguf([text("a") + struct.pack("<II", U64, 0)])
    yield "key_type", gguf([text("a") + struct.pack("<IQ", 13, 0)])
    yield "bool_2", gguf([key("a", BOOL, 2)])
    yield "bools_2", gguf([array("a", BOOL, [0, 1, 2])])
    yield "string_not_utf8", gguf([key("a", STRING, b"\xff")])
    yield "array_in_array", gguf([text("a") + struct.pack("<IIQ", ARRAY, ARRAY, 0)])
    yield "array_type", gguf([text("a") + struct.pack("<IIQ", ARRAY, 77, 0)])
    yield "array_cut", gguf([text("a") + struct.pack("<II", ARRAY, U8)])
    yield "array_count", gguf([array("a", U64, [1], 2**61)])
    yield "array_count_off_by_one", gguf([array("a", U64, [1], 2)])
    yield "array_string_cut", gguf([text("a") + struct.pack("<IIQQ", ARRAY, STRING, 1, 9) + b"123"])
    yield "array_string_not_utf8", gguf([array("a", STRING, ["x", b"\xfe"])])


def gguf_bad_tensors():
    one = tensor("a", [8], 0, 0)
    data = b"\0" * 64
    yield "alignment_odd", gguf([key("general.alignment", U32, 24)], [one], data)
    yield "alignment_4", gguf([key("general.alignment", U32, 4)], [one], data)
    yield "alignment_type", gguf([key("general.alignment", U64, 32)], [one], data)
    yield "alignment_huge", gguf([key("general.alignment", U32, 2**31)], [one], data)
    yield "tensor_missing", gguf([], [one], b"", tensor_count=1)[:-16]
    yield "tensor_no_name", gguf([], [tensor("", [8], 0, 0)], data)
    yield "tensor_long_name", gguf([], [tensor("n" * 65, [8], 0, 0)], data)
    yield "tensor_twice", gguf([], [one, tensor("a", [8], 0, 32)], data)
    yield "rank_0", gguf([], [tensor("a", [], 0, 0)], data)
    yield "rank_5", gguf([], [tensor("a", [1] * 5, 0, 0)], data)
    yield "tensor_name_cut", gguf(tensor_count=1, data=struct.pack("<Q", 30) + b"n" * 29)
    yield "rank_cut", gguf(tensor_count=1, data=text("n" * 30) + b"\0\0")
    yield "dimension_0", gguf([], [tensor("a", [8, 0], 0, 0)], data)
    yield "dimensions_wrap", gguf([], [tensor("a", [2**32, 2**32], 0, 0)], data)
    yield "dimensions_wrap_later", gguf([], [tensor("a", [2**31, 2**31, 2**2], 1, 0)], data)
    yield "dimensions_cut", gguf(tensor_count=1, data=text("n" * 28) + struct.pack("<IQ", 2, 8))
    yield "type_cut", gguf(tensor_count=1, data=text("n" * 20) + struct.pack("<IQ", 1, 8) + b"\0\0")
    yield "tensor_type", gguf([], [tensor("a", [32], 4, 0)], data)
    yield "tensor_type_far", gguf([], [tensor("a", [32], 2**32 - 1, 0)], data)
    yield "half_a_block", gguf([], [tensor("a", [48], 2, 0)], data)
    yield "offset_odd", gguf([], [tensor("a", [8], 0, 8)], data)
    yield "offset_far", gguf([], [tensor("a", [8], 0, 2**63)], data)
    yield "data_cut", gguf([], [tensor("a", [8], 0, 64)], data)
    yield "overlap", gguf([], [tensor("a", [9], 0, 0), tensor("b", [8], 0, 32)], data)
    yield "same_place", gguf([], [one, tensor("b", [8], 0, 0)], data)
    yield "no_padding", gguf([], [one])[:24 + 8 + 1 + 4 + 8 + 4 + 8]


# ---- vocabularies ----

NORMAL, CONTROL = 1, 3


def letters():
    """Byte-level BPE's letter for each byte."""
    substitutes = iter(range(0x100, 0x200))
    return [chr(byte if 0x21 <= byte <= 0x7e or (byte >= 0xa1 and byte != 0xad) else next(substitutes))
            for byte in range(256)]


def vocabulary(tokens, types, merges, model="gpt2", pre="smollm", end=0, leave_out=None):
    keys = {"model": key("tokenizer.ggml.model", STRING, model), "pre": key("tokenizer.ggml.pre", STRING, pre),
            "end": key("tokenizer.ggml.eos_token_id", U32, end), "tokens": array("tokenizer.ggml.tokens", STRING, tokens),
            "types": array("tokenizer.ggml.token_type", I32, types), "merges": array("tokenizer.ggml.merges", STRING, merges)}
    return gguf([value for name, value in keys.items() if name != leave_out])


def vocabularies():
    turns = ["<|im_start|>", "<|im_end|>"]
    few = ["a", "b", "ab", "aba"]
    tokens = turns + few
    types = [CONTROL] * 2 + [NORMAL] * 4
    merges = ["a b", "ab a"]
    every = turns + letters()
    yield "small", vocabulary(tokens, types, merges)
    yield "every_byte", vocabulary(every, [CONTROL] * 2 + [NORMAL] * 256, [])
    yield "every_byte_and_merges", vocabulary(every + ["ab", "aba"], [CONTROL] * 2 + [NORMAL] * 258, merges)
    yield "control_byte", vocabulary(tokens, [CONTROL] * 3 + [NORMAL] * 3, [])
    yield "control_merge", vocabulary(tokens, [CONTROL] * 2 + [NORMAL] * 3 + [CONTROL], merges)
    yield "control_part", vocabulary(tokens, [CONTROL] * 2 + [NORMAL] * 2 + [CONTROL, NORMAL], ["ab a"])
    yield "merge_in_two_ways", vocabulary(tokens + ["ba"], types + [NORMAL], ["b a", "a b", "ab a", "a ba"])
    yield "merge_twice", vocabulary(tokens, types, ["a b", "a b"])
    yield "outside_the_alphabet", vocabulary(tokens + ["\u4e16", "\u0143\u0144", " "], types + [NORMAL] * 3, merges)
    yield "turns_are_text", vocabulary(tokens, [NORMAL] * 6, merges)
    yield "no_turns", vocabulary(few, [NORMAL] * 4, merges)
    for part in ("model", "pre", "end", "tokens", "types", "merges"):
        yield f"no_{part}", vocabulary(tokens, types, merges, leave_out=part)
    yield "model", vocabulary(tokens, types, merges, model="llama")
    yield "pre", vocabulary(tokens, types, merges, pre="smoll")
    yield "end", vocabulary(tokens, types, merges, end=6)
    yield "tokens_none", vocabulary([], [], [])
    yield "token_empty", vocabulary(["a", ""], [NORMAL] * 2, [])
    yield "token_twice", vocabulary(["a", "a"], [NORMAL] * 2, [])
    yield "too_few_types", vocabulary(tokens, types[:-1], merges)
    yield "type_0", vocabulary(["a"], [0], [])
    yield "type_7", vocabulary(["a"], [7], [])
    yield "merge_one_part", vocabulary(tokens, types, ["ab"])
    yield "merge_empty_part", vocabulary(tokens, types, [" b"])
    yield "merge_of_strangers", vocabulary(tokens, types, ["a c"])
    yield "merge_to_a_stranger", vocabulary(tokens, types, ["b b"])


# ---- ELF ----

X86_64, AARCH64, S390 = 62, 183, 22
PT_LOAD, PT_DYNAMIC, ET_DYN = 1, 2, 3


def elf(machine=X86_64, kind=ET_DYN, segments=None, sections=0, **fields):
    """A header, its segment headers and 32 bytes; fields overwrite what the header would say."""
    segments = segments if segments is not None else [segment(PT_LOAD, 0, 96), segment(PT_DYNAMIC, 64, 32)]
    size = 64 + 56 * len(segments)
    head = {"ident": b"\x7fELF\x02\x01\x01" + b"\0" * 9, "type": kind, "machine": machine, "version": 1, "entry": 0,
            "phoff": 64, "shoff": size + 32 if sections else 0, "flags": 0, "ehsize": 64, "phentsize": 56,
            "phnum": len(segments), "shentsize": 64 if sections else 0, "shnum": sections, "shstrndx": 0}
    head.update(fields)
    return (struct.pack("<16sHHIQQQIHHHHHH", *head.values()) + b"".join(segments) + b"\0" * 32 + b"\0" * 64 * sections)


def segment(kind, offset, size, memory=None):
    return struct.pack("<IIQQQQQQ", kind, 4, offset, offset, 0, size, size if memory is None else memory, 8)


def elves():
    load, dynamic = segment(PT_LOAD, 0, 96), segment(PT_DYNAMIC, 64, 32)
    yield "empty", b""
    yield "text", b"plain text, no object"
    yield "good", elf()
    yield "good_with_sections", elf(sections=2)
    yield "good_aarch64", elf(machine=AARCH64)
    yield "header_cut", elf()[:40]
    yield "only_magic", b"\x7fELF"
    for name, machine in (("i386", 3), ("arm", 40), ("riscv", 243), ("ppc64", 21), ("s390x", S390), ("cuda", 190),
                          ("unnamed", 4711)):
        yield f"machine_{name}", elf(machine=machine)
    yield "class_32", elf(ident=b"\x7fELF\x01\x01\x01" + b"\0" * 9)
    yield "big_endian", elf(ident=b"\x7fELF\x02\x02\x01" + b"\0" * 9)
    yield "ident_version", elf(ident=b"\x7fELF\x02\x01\x02" + b"\0" * 9)
    yield "header_size", elf(ehsize=52)
    yield "executable", elf(kind=2)
    yield "relocatable", elf(kind=1)
    yield "no_segments", elf(segments=[], phoff=0)
    yield "segment_size", elf(phentsize=32)
    yield "segments_far", elf(phoff=2**64 - 8)
    yield "segments_cut", elf(phnum=65535)
    yield "sections_far", elf(shoff=2**63, shentsize=64, shnum=1)
    yield "section_size", elf(sections=1, shentsize=40)
    yield "sections_cut", elf(sections=1)[:-1]
    yield "no_dynamic", elf(segments=[load])
    yield "dynamic_empty", elf(segments=[load, segment(PT_DYNAMIC, 64, 0)])
    yield "segment_far", elf(segments=[segment(PT_LOAD, 2**63, 2**63), dynamic])
    yield "segment_cut", elf(segments=[segment(PT_LOAD, 0, 4096), dynamic])
    yield "segment_shrinks", elf(segments=[segment(PT_LOAD, 0, 96, 95), dynamic])


# ---- descriptions of kernels ----

def kernel(choices=0, arguments=(), size=16, group=(0, 0, 0), items=1024, name=b"k", launches=b"", count=None):
    wide = "I" if choices & 4 else "H"
    head = struct.pack("<B", choices) + (struct.pack("<I", size) if choices & 2 else b"")
    return (head + struct.pack("<B", len(arguments) if count is None else count) +
            struct.pack("<5" + wide, size, *group, items) + struct.pack("<B", len(name)) + name +
            b"".join(struct.pack("<HHBB", *argument) for argument in arguments) + launches)


def launch(grid=(1, 1, 1), group=(1, 1, 1), size=None):
    head = b"\0" if size is None else b"\1" + struct.pack("<H", size)
    return head + b"".join(struct.pack("<H", g) + struct.pack("<Q", n)[:5] for g, n in zip(group, grid))


def kernels():
    address, value = (0, 8, 1, 1), (8, 4, 0, 1)
    yield "nothing", kernel(size=0, launches=launch())
    yield "two_arguments", kernel(0, [address, value], launches=launch())
    yield "no_name_asked", kernel(name=b"")
    yield "odd_name_asked", kernel(name=b"a-b")
    yield "group_of_64", kernel(0, [address], 8, (64, 1, 1), 64)
    yield "group_too_large", kernel(0, [address], 8, (64, 64, 64), 64)
    yield "group_half", kernel(0, [address], 8, (64, 0, 1), 64)
    yield "group_wraps", kernel(4, [address], 8, (2**31, 2**31, 4), 2**32 - 1)
    yield "no_items", kernel(0, [address], 8, items=0)
    yield "no_entry", kernel(1, [address], 8)
    yield "short_description", kernel(2, [address], 8)
    yield "other_name", kernel(8, [address], 8)
    yield "no_arguments_at_all", kernel(16, [address], 8)
    yield "no_name", kernel(32, [address], 8)
    yield "overlap", kernel(0, [address, (4, 8, 0, 1)])
    yield "overlap_by_one", kernel(0, [address, (7, 4, 0, 1)])
    yield "past_the_end", kernel(0, [address, (12, 8, 0, 1)])
    yield "backwards", kernel(0, [(8, 8, 0, 1), (0, 8, 0, 1)])
    yield "empty_argument", kernel(0, [(0, 0, 0, 1)])
    yield "short_address", kernel(0, [(0, 4, 1, 1)])
    yield "odd_address", kernel(0, [(4, 8, 1, 1)])
    yield "half_an_address", kernel(0, [(0, 8, 2, 1)])
    yield "too_many", kernel(0, [address], 8, count=65)
    yield "too_large", kernel(4, [address], 4097)
    for name, one in (("grid", launch((7, 5, 3), (2, 1, 1))), ("grid_of_nothing", launch((0, 1, 1))),
                      ("grid_large", launch((16, 16, 15))),
                      ("grid_too_large", launch((2**32, 1, 1))), ("grid_too_high", launch((1, 65536, 1))),
                      ("group_of_nothing", launch(group=(0, 1, 1))), ("group_beyond", launch(group=(1024, 2, 1))),
                      ("other_size", launch(size=9))):
        yield f"launch_{name}", kernel(0, [], 0, launches=one)


SEEDS = {"gguf": (gguf_good, gguf_bad_values, gguf_bad_tensors), "vocabulary": (vocabularies,), "elf": (elves,),
         "kernel": (kernels,)}


def main():
    is_check = sys.argv[1:] == ["--check"]
    if sys.argv[1:] and not is_check:
        sys.exit("usage: make_seeds.py [--check]")
    wrong = []
    for target, generators in SEEDS.items():
        for generate in generators:
            for name, seed in generate():
                path = CORPUS / target / f"{generate.__name__}.{name}"
                if not is_check:
                    path.parent.mkdir(parents=True, exist_ok=True)
                    path.write_bytes(seed)
                elif not path.is_file() or path.read_bytes() != seed:
                    wrong.append(str(path))
    if wrong:
        sys.exit("these are not what make_seeds.py makes: " + " ".join(wrong))


if __name__ == "__main__":
    main()
