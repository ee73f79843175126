# SPDX-License-Identifier: Apache-2.0
"""Compiles a kernel source with NVRTC, through its C interface, and prints the PTX: nvrtc.py LIBRARY FILE OPTIONS…"""
import ctypes
import sys


def must(nvrtc, code, what):
    if code != 0:
        nvrtc.nvrtcGetErrorString.restype = ctypes.c_char_p
        sys.exit(f"{what}: {nvrtc.nvrtcGetErrorString(code).decode()}")


def text(nvrtc, program, noun):
    """The program's PTX or ProgramLog."""
    size = ctypes.c_size_t()
    must(nvrtc, getattr(nvrtc, f"nvrtcGet{noun}Size")(program, ctypes.byref(size)), f"size of {noun}")
    buffer = ctypes.create_string_buffer(size.value)
    must(nvrtc, getattr(nvrtc, f"nvrtcGet{noun}")(program, buffer), noun)
    return buffer.value.decode()


def main():
    library, path, *options = sys.argv[1:]
    nvrtc = ctypes.CDLL(library)
    program = ctypes.c_void_p()
    with open(path, "rb") as file:
        source = file.read()
    must(nvrtc, nvrtc.nvrtcCreateProgram(ctypes.byref(program), source, path.encode(), 0, None, None), path)
    given = (ctypes.c_char_p * len(options))(*[option.encode() for option in options])
    code = nvrtc.nvrtcCompileProgram(program, len(options), given)
    sys.stderr.write(text(nvrtc, program, "ProgramLog"))
    must(nvrtc, code, path)
    print(text(nvrtc, program, "PTX"))


if __name__ == "__main__":
    main()
