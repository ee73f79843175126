/* SPDX-License-Identifier: Apache-2.0 */
/* Writes a small llama model with random weights (tests/unit/tiny_model.c) to a file, for tests that run programs. */
#include "tiny_gguf.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char usage[] =
    "usage: make_tiny_model PATH SEED LAYERS WIDTH HEADS KV_HEADS FEED_FORWARD VOCABULARY CONTEXT [TYPE] [untied]\n"
    "TYPE is f32, f16, bf16, q4_0, q4_1, q8_0 or mixed (the default); untied adds an output.weight of its own.\n"
    "Example: make_tiny_model tiny.gguf 1 2 64 4 2 96 320 128\n";

static bool read_number(const char *text, unsigned long most, unsigned long *out_value)
{
    char *end;
    *out_value = strtoul(text, &end, 10);
    return end != text && *end == '\0' && *text != '-' && *out_value <= most;
}

static bool read_type(const char *text, uint32_t *out_type)
{
    static const struct {
        const char *name;
        uint32_t type;
    } types[] = {
        {"f32", TINY_F32},   {"f16", TINY_F16},   {"bf16", TINY_BF16},   {"q4_0", TINY_Q4_0},
        {"q4_1", TINY_Q4_1}, {"q8_0", TINY_Q8_0}, {"mixed", TINY_MIXED},
    };
    for (size_t i = 0; i < sizeof types / sizeof types[0]; i++)
        if (strcmp(text, types[i].name) == 0) {
            *out_type = types[i].type;
            return true;
        }
    return false;
}

static bool read_arguments(int argc, char **argv, struct tiny_model *out_model)
{
    uint32_t *const fields[] = {&out_model->layers,   &out_model->width,        &out_model->heads,
                                &out_model->kv_heads, &out_model->feed_forward, &out_model->vocabulary,
                                &out_model->context};
    enum { FIRST_FIELD = 3, FIELDS = sizeof fields / sizeof fields[0], TYPE = FIRST_FIELD + FIELDS };
    unsigned long value;
    if (argc < TYPE || argc > TYPE + 2 || !read_number(argv[2], ~0UL, &value))
        return false;
    out_model->seed = value;
    for (int i = 0; i < FIELDS; i++) {
        if (!read_number(argv[FIRST_FIELD + i], 1UL << 20, &value))
            return false;
        *fields[i] = (uint32_t)value;
    }
    if (argc > TYPE && !read_type(argv[TYPE], &out_model->weight_type))
        return false;
    out_model->separate_output = argc > TYPE + 1;
    return argc <= TYPE + 1 || strcmp(argv[TYPE + 1], "untied") == 0;
}

int main(int argc, char **argv)
{
    struct tiny_model model = {.weight_type = TINY_MIXED};
    if (!read_arguments(argc, argv, &model)) {
        fputs(usage, stderr);
        return 2;
    }
    const char *problem = tiny_model_problem(&model);
    if (problem != NULL) {
        fprintf(stderr, "make_tiny_model: %s\n", problem);
        return 2;
    }
    struct tiny_gguf file = {0};
    tiny_model_build(&model, &file);
    bool written = tiny_write(&file, argv[1]);
    if (!written)
        fprintf(stderr, "make_tiny_model: %s cannot be written\n", argv[1]);
    tiny_free(&file);
    return written ? 0 : 1;
}
