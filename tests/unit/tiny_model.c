/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A llama model with random weights: big enough to exercise every tensor and block type, small enough for a unit test.
 * Quantised blocks are drawn directly, each with a scale of its own, so that reading a wrong block shows.
 */
#include "tiny_gguf.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { ALIGNMENT = 32, LONGEST_NAME = 48, MOST_VOCABULARY = 16384, MERGE_ROOM = 64, LONGEST_MERGE = 24 };

struct tensor {
    char name[LONGEST_NAME];
    uint64_t dims[2];
    uint32_t rank;
    uint32_t type;
};

struct builder {
    const struct tiny_model *model;
    struct tiny_gguf *file;
    struct tensor *tensors;
    size_t tensor_count;
    size_t matrix_count;
    uint64_t random;
};

static void *zeroed(size_t count, size_t size)
{
    void *memory = calloc(count, size);
    if (memory == NULL) {
        fputs("tiny_model: out of memory\n", stderr);
        abort();
    }
    return memory;
}

/* splitmix64 */
static uint64_t draw(struct builder *builder)
{
    uint64_t z = builder->random += 0x9e3779b97f4a7c15U;
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9U;
    z = (z ^ z >> 27) * 0x94d049bb133111ebU;
    return z ^ z >> 31;
}

/* Uniform in [-1, 1). */
static float draw_signed(struct builder *builder)
{
    return (float)(int32_t)(draw(builder) >> 32) * 0x1p-31F;
}

const char *tiny_model_problem(const struct tiny_model *model)
{
    static const uint32_t types[] = {TINY_F32, TINY_F16, TINY_Q4_0, TINY_Q4_1, TINY_Q8_0, TINY_BF16, TINY_MIXED};
    bool known = false;
    for (size_t i = 0; i < sizeof types / sizeof types[0]; i++)
        known = known || model->weight_type == types[i];
    if (!known)
        return "the weight type is unknown";
    if (model->layers < 1 || model->layers > 64 || model->context < 1)
        return "expected 1 to 64 layers and a context of at least 1";
    if (model->width < 32 || model->width > 4096 || model->width % 32 != 0)
        return "expected a width of 32 to 4096 in steps of 32";
    if (model->feed_forward < 32 || model->feed_forward > 16384 || model->feed_forward % 32 != 0)
        return "expected a feed-forward width of 32 to 16384 in steps of 32";
    if (model->heads < 1 || model->width % model->heads != 0 || model->width / model->heads % 2 != 0)
        return "expected heads that divide the width into even parts";
    if (model->kv_heads < 1 || model->heads % model->kv_heads != 0)
        return "expected key/value heads that divide the heads";
    if (model->vocabulary < TINY_FIRST_MERGE_TOKEN || model->vocabulary > MOST_VOCABULARY)
        return "expected a vocabulary of 259 to 16384";
    return NULL;
}

/* ---- vocabulary ---- */

/* The text of token i of those that merges start from: the letters and the space, then earlier merges. */
static void part_text(char (*merges)[MERGE_ROOM], size_t i, char out_text[MERGE_ROOM])
{
    if (i == 26) {
        snprintf(out_text, MERGE_ROOM, "\xc4\xa0"); /* the letter that stands for a space */
        return;
    }
    size_t used = 0;
    const char *from = i > 26 ? merges[i - 27] : "";
    for (; *from != '\0'; from++)
        if (*from != ' ')
            out_text[used++] = *from;
    if (i < 26)
        out_text[used++] = (char)('a' + (int)i);
    out_text[used] = '\0';
}

static bool is_new(char (*merges)[MERGE_ROOM], size_t count, const char *whole)
{
    for (size_t i = 0; i < count; i++) {
        char text[MERGE_ROOM];
        part_text(merges, 27 + i, text);
        if (strcmp(text, whole) == 0)
            return false;
    }
    return true;
}

/* Draws merges whose results all differ. A space only begins a word, as in real vocabularies. */
static void draw_merges(struct builder *builder, char (*merges)[MERGE_ROOM], size_t count)
{
    for (size_t made = 0; made < count;) {
        char left[MERGE_ROOM], right[MERGE_ROOM], whole[2 * MERGE_ROOM];
        part_text(merges, (size_t)(draw(builder) % (27 + made)), left);
        part_text(merges, (size_t)(draw(builder) % (27 + made)), right);
        snprintf(whole, sizeof whole, "%s%s", left, right);
        if (strlen(whole) > LONGEST_MERGE || right[0] == '\xc4' || !is_new(merges, made, whole))
            continue;
        snprintf(merges[made++], MERGE_ROOM, "%.30s %.30s", left, right);
    }
}

static void put_vocabulary(struct builder *builder)
{
    size_t count = builder->model->vocabulary - TINY_FIRST_MERGE_TOKEN;
    char(*merges)[MERGE_ROOM] = zeroed(count + 1, sizeof merges[0]);
    const char **texts = zeroed(count + 1, sizeof texts[0]);
    draw_merges(builder, merges, count);
    for (size_t i = 0; i < count; i++)
        texts[i] = merges[i];
    tiny_put_tokenizer(builder->file, texts, count);
    free(texts);
    free(merges);
}

/* ---- tensors ---- */

static void plan_tensor(struct builder *builder, const char *name, uint64_t columns, uint64_t rows)
{
    static const uint32_t cycle[] = {TINY_Q8_0, TINY_Q4_1, TINY_Q4_0, TINY_F16, TINY_F32};
    struct tensor *tensor = &builder->tensors[builder->tensor_count++];
    snprintf(tensor->name, sizeof tensor->name, "%s", name);
    tensor->rank = rows > 0 ? 2 : 1;
    tensor->dims[0] = columns;
    tensor->dims[1] = rows;
    tensor->type = TINY_F32;
    if (rows > 0)
        tensor->type = builder->model->weight_type != TINY_MIXED
                           ? builder->model->weight_type
                           : cycle[builder->matrix_count++ % (sizeof cycle / sizeof cycle[0])];
}

static void plan_layer_tensor(struct builder *builder, uint32_t layer, const char *part, uint64_t columns,
                              uint64_t rows)
{
    char name[LONGEST_NAME];
    snprintf(name, sizeof name, "blk.%u.%s.weight", (unsigned)layer, part);
    plan_tensor(builder, name, columns, rows);
}

static void plan_tensors(struct builder *builder)
{
    const struct tiny_model *model = builder->model;
    uint64_t width = model->width;
    uint64_t kv_width = width / model->heads * model->kv_heads;
    plan_tensor(builder, "token_embd.weight", width, model->vocabulary);
    for (uint32_t layer = 0; layer < model->layers; layer++) {
        plan_layer_tensor(builder, layer, "attn_norm", width, 0);
        plan_layer_tensor(builder, layer, "attn_q", width, width);
        plan_layer_tensor(builder, layer, "attn_k", width, kv_width);
        plan_layer_tensor(builder, layer, "attn_v", width, kv_width);
        plan_layer_tensor(builder, layer, "attn_output", width, width);
        plan_layer_tensor(builder, layer, "ffn_norm", width, 0);
        plan_layer_tensor(builder, layer, "ffn_gate", width, model->feed_forward);
        plan_layer_tensor(builder, layer, "ffn_up", width, model->feed_forward);
        plan_layer_tensor(builder, layer, "ffn_down", model->feed_forward, width);
    }
    plan_tensor(builder, "output_norm.weight", width, 0);
    if (model->separate_output)
        plan_tensor(builder, "output.weight", width, model->vocabulary);
}

static uint64_t tensor_bytes(const struct tensor *tensor)
{
    uint64_t count = tensor->dims[0] * (tensor->rank == 2 ? tensor->dims[1] : 1);
    switch (tensor->type) {
    case TINY_Q4_0:
        return count / 32 * 18;
    case TINY_Q4_1:
        return count / 32 * 20;
    case TINY_Q8_0:
        return count / 32 * 34;
    case TINY_F32:
        return count * 4;
    default:
        return count * 2;
    }
}

/* Cuts the mantissa and turns what is too small for a normal half into 0; nothing here is too large. */
static void put_half(struct tiny_gguf *file, float value)
{
    uint32_t bits;
    memcpy(&bits, &value, sizeof bits);
    uint32_t exponent = bits >> 23 & 255;
    uint32_t half = bits >> 16 & 0x8000;
    if (exponent > 112)
        half |= (exponent - 112) << 10 | (bits >> 13 & 0x3ff);
    tiny_put(file, (unsigned char[]){(unsigned char)half, (unsigned char)(half >> 8)}, 2);
}

static void put_random_bytes(struct builder *builder, size_t count)
{
    for (size_t i = 0; i < count; i++)
        tiny_put(builder->file, (unsigned char[]){(unsigned char)(draw(builder) >> 56)}, 1);
}

/* 32 weights between about -reach and reach. */
static void put_block(struct builder *builder, uint32_t type, float reach)
{
    float scale = reach * (0.75F + 0.5F * draw_signed(builder));
    if (type == TINY_Q8_0) {
        put_half(builder->file, scale / 127.0F);
        put_random_bytes(builder, 32);
        return;
    }
    put_half(builder->file, type == TINY_Q4_0 ? scale / 8.0F : scale / 7.5F);
    if (type == TINY_Q4_1)
        put_half(builder->file, -scale);
    put_random_bytes(builder, 16);
}

static void put_weight(struct builder *builder, uint32_t type, float value)
{
    uint32_t bits;
    memcpy(&bits, &value, sizeof bits);
    if (type == TINY_F32)
        tiny_put_u32(builder->file, bits);
    else if (type == TINY_F16)
        put_half(builder->file, value);
    else
        tiny_put(builder->file, (unsigned char[]){(unsigned char)(bits >> 16), (unsigned char)(bits >> 24)}, 2);
}

/* About 1 / sqrt(columns), so that values keep their size from layer to layer; a square root to 1 part in 100. */
static float reach_of(const struct tensor *tensor)
{
    float root = 1.0F;
    for (int i = 0; i < 12; i++)
        root = 0.5F * (root + (float)tensor->dims[0] / root);
    return strcmp(tensor->name, "token_embd.weight") == 0 ? 1.0F : 1.7F / root;
}

static void put_data(struct builder *builder, const struct tensor *tensor)
{
    uint64_t count = tensor->dims[0] * (tensor->rank == 2 ? tensor->dims[1] : 1);
    float reach = reach_of(tensor);
    if (tensor->rank == 1) {
        for (uint64_t i = 0; i < count; i++)
            tiny_put_f32(builder->file, 1.0F + 0.1F * draw_signed(builder));
    } else if (tensor->type == TINY_Q4_0 || tensor->type == TINY_Q4_1 || tensor->type == TINY_Q8_0) {
        for (uint64_t i = 0; i < count; i += 32)
            put_block(builder, tensor->type, reach);
    } else {
        for (uint64_t i = 0; i < count; i++)
            put_weight(builder, tensor->type, reach * draw_signed(builder));
    }
    tiny_align(builder->file, ALIGNMENT);
}

/* ---- the file ---- */

static void put_keys(struct builder *builder)
{
    const struct tiny_model *model = builder->model;
    struct tiny_gguf *file = builder->file;
    tiny_key_string(file, "general.architecture", "llama");
    tiny_key_string(file, "general.name", "tiny random model");
    tiny_key_u32(file, "llama.block_count", model->layers);
    tiny_key_u32(file, "llama.context_length", model->context);
    tiny_key_u32(file, "llama.embedding_length", model->width);
    tiny_key_u32(file, "llama.feed_forward_length", model->feed_forward);
    tiny_key_u32(file, "llama.attention.head_count", model->heads);
    tiny_key_u32(file, "llama.attention.head_count_kv", model->kv_heads);
    tiny_key_u32(file, "llama.vocab_size", model->vocabulary);
    tiny_key_u32(file, "llama.rope.dimension_count", model->width / model->heads);
    tiny_key_f32(file, "llama.rope.freq_base", 10000.0F);
    tiny_key_f32(file, "llama.attention.layer_norm_rms_epsilon", 1e-5F);
    put_vocabulary(builder);
}

enum { MODEL_KEYS = 12 };

void tiny_model_build(const struct tiny_model *model, struct tiny_gguf *file)
{
    struct builder builder = {.model = model, .file = file, .random = model->seed};
    builder.tensors = zeroed(3 + 9 * (size_t)model->layers, sizeof builder.tensors[0]);
    plan_tensors(&builder);
    tiny_put_header(file, 3, builder.tensor_count, MODEL_KEYS + TINY_TOKENIZER_KEYS);
    put_keys(&builder);
    uint64_t offset = 0;
    for (size_t i = 0; i < builder.tensor_count; i++) {
        const struct tensor *tensor = &builder.tensors[i];
        tiny_put_tensor(file, tensor->name, tensor->rank, tensor->dims, tensor->type, offset);
        offset += (tensor_bytes(tensor) + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
    }
    tiny_align(file, ALIGNMENT);
    for (size_t i = 0; i < builder.tensor_count; i++)
        put_data(&builder, &builder.tensors[i]);
    free(builder.tensors);
}
