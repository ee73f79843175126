#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Asks llama.cpp what our own code is compared with.

  llama_cpp_top20.py FILE TOKEN_ID...        the 20 likeliest next tokens, likeliest first: "token logit" a line
  llama_cpp_top20.py FILE --tokenize TEXT    the tokens of the text, one line; control tokens in it are plain text
  llama_cpp_top20.py FILE --tokenize-stdin   the same for each NUL-terminated text on stdin, a line each

llama.cpp comes from the Python package xllamacpp, whose wheel runs on glibc 2.17 and later (that of llama-cpp-py-sync
wants 2.38, newer than Debian 12) and exports the C interface. --library names another libllama.
"""
import argparse
import ctypes
import importlib.util
import pathlib
import sys

TOP = 20


class Opaque(ctypes.Structure):
    """Any of llama.cpp's parameter structs. They change with every version, so we only pass defaults through.

    Being larger than the real ones does no harm: they are returned through a pointer and passed as the last argument.
    """

    _fields_ = [("bytes", ctypes.c_uint64 * 128)]


Pointer, Int, Token = ctypes.c_void_p, ctypes.c_int32, ctypes.c_int32
Tokens, Floats = ctypes.POINTER(Token), ctypes.POINTER(ctypes.c_float)
Log = ctypes.CFUNCTYPE(None, ctypes.c_int, ctypes.c_char_p, Pointer)
FUNCTIONS = {
    "llama_backend_init": (None, []),
    "llama_log_set": (None, [Log, Pointer]),
    "llama_model_default_params": (Opaque, []),
    "llama_model_load_from_file": (Pointer, [ctypes.c_char_p, Opaque]),
    "llama_model_get_vocab": (Pointer, [Pointer]),
    "llama_vocab_n_tokens": (Int, [Pointer]),
    "llama_tokenize": (Int, [Pointer, ctypes.c_char_p, Int, Tokens, Int, ctypes.c_bool, ctypes.c_bool]),
    "llama_context_default_params": (Opaque, []),
    "llama_init_from_model": (Pointer, [Pointer, Opaque]),
    "llama_n_ctx": (ctypes.c_uint32, [Pointer]),
    "llama_set_n_threads": (None, [Pointer, Int, Int]),
    "llama_batch_get_one": (Opaque, [Tokens, Int]),
    "llama_decode": (Int, [Pointer, Opaque]),
    "llama_get_logits_ith": (Floats, [Pointer, Int]),
}


def find_library():
    spec = importlib.util.find_spec("xllamacpp")
    found = sorted(pathlib.Path(spec.origin).parent.glob("*.so")) if spec else []
    if not found:
        sys.exit("expected the Python package xllamacpp or --library, found neither")
    return str(found[0])


class Model:
    def __init__(self, library, path):
        self.lib = ctypes.CDLL(library)
        for name, (result, arguments) in FUNCTIONS.items():
            function = getattr(self.lib, name)
            function.restype, function.argtypes = result, arguments
        self.quiet = Log(lambda level, text, data: None)
        self.lib.llama_log_set(self.quiet, None)
        self.lib.llama_backend_init()
        self.model = self.lib.llama_model_load_from_file(path.encode(), self.lib.llama_model_default_params())
        if not self.model:
            sys.exit(f"{path}: llama.cpp cannot load it")
        self.vocabulary = self.lib.llama_model_get_vocab(self.model)

    def tokenize(self, text):
        room = len(text) + 16
        tokens = (Token * room)()
        count = self.lib.llama_tokenize(self.vocabulary, text, len(text), tokens, room, False, False)
        if count < 0:
            sys.exit(f"llama_tokenize wants room for {-count} tokens, more than there are bytes")
        return tokens[0:count]

    def next_logits(self, tokens, threads):
        size = self.lib.llama_vocab_n_tokens(self.vocabulary)
        wrong = [token for token in tokens if not 0 <= token < size]
        if wrong:
            sys.exit(f"token {wrong[0]}: expected 0 to {size - 1}")
        context = self.lib.llama_init_from_model(self.model, self.lib.llama_context_default_params())
        if not context:
            sys.exit("llama.cpp cannot make a context")
        room = self.lib.llama_n_ctx(context)
        if len(tokens) > room:
            sys.exit(f"expected at most {room} tokens, found {len(tokens)}")
        self.lib.llama_set_n_threads(context, threads, threads)
        array = (Token * len(tokens))(*tokens)
        status = self.lib.llama_decode(context, self.lib.llama_batch_get_one(array, len(tokens)))
        if status != 0:
            sys.exit(f"llama_decode returned {status}")
        return self.lib.llama_get_logits_ith(context, -1)[0:size]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("file")
    parser.add_argument("tokens", nargs="*", type=int, metavar="TOKEN_ID")
    parser.add_argument("--tokenize", metavar="TEXT")
    parser.add_argument("--tokenize-stdin", action="store_true")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--library", metavar="PATH")
    options = parser.parse_args()

    if options.tokenize is None and not options.tokenize_stdin and not options.tokens:
        parser.error("expected token ids, --tokenize or --tokenize-stdin")
    model = Model(options.library or find_library(), options.file)
    texts = [options.tokenize.encode()] if options.tokenize is not None else []
    if options.tokenize_stdin:
        texts += sys.stdin.buffer.read().split(b"\0")[:-1]
    for text in texts:
        print(*model.tokenize(text))
    if options.tokens:
        logits = model.next_logits(options.tokens, options.threads)
        for token in sorted(range(len(logits)), key=lambda t: (-logits[t], t))[:TOP]:
            print(token, f"{logits[token]:.6f}")


if __name__ == "__main__":
    main()
