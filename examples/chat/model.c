/* SPDX-License-Identifier: Apache-2.0 */
/* Reading a model's sizes, checking its tensors against them, and uploading them. */
#include "model.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

bool model_check(haly_status status, const char *what, struct chat_error *error)
{
    haly_error detail = {HALY_ERROR_INIT};
    if (status == HALY_OK)
        return true;
    if (haly_error_last(&detail) != HALY_OK)
        return CHAT_FAIL(error, "%s: %s", what, haly_status_name(status));
    return CHAT_FAIL(error, "%s: %s [%s]", what, detail.message, haly_status_name(status));
}

bool model_tensor(haly_context *context, const char *name, haly_dtype dtype, uint32_t rank, const int64_t *shape,
                  haly_tensor *out_tensor, struct chat_error *error)
{
    haly_memory_description description = {HALY_MEMORY_DESCRIPTION_INIT, .name = name, .dtype = dtype, .rank = rank};
    uint64_t blocks = 1;
    void *data = NULL;
    for (uint32_t i = 0; i < rank; i++) {
        description.shape[i] = shape[i];
        blocks *= (uint64_t)shape[i];
    }
    const uint64_t bytes = blocks / haly_dtype_block_elements(dtype) * haly_dtype_block_bytes(dtype);
    if (!model_check(haly_malloc(context, bytes, NULL, &data), name, error) ||
        !model_check(haly_memory_describe(context, data, &description), name, error))
        return false;
    *out_tensor = haly_tensor_make(dtype, rank, shape, data);
    return true;
}

static bool get_size(const struct gguf *file, const char *key, uint32_t minimum, uint32_t maximum, uint32_t *out,
                     struct chat_error *error)
{
    if (!gguf_get_u32(file, key, out, error))
        return false;
    if (*out < minimum || *out > maximum)
        return CHAT_FAIL(error, "%s: %s is %" PRIu32 ", expected %" PRIu32 " to %" PRIu32, gguf_label(file), key, *out,
                         minimum, maximum);
    return true;
}

/* Keys that the file may leave out. */
static bool get_optional(const struct gguf *file, struct model_sizes *sizes, uint32_t *out_rotary,
                         struct chat_error *error)
{
    sizes->rotary_base = 10000.0F;
    sizes->kv_heads = sizes->heads;
    *out_rotary = sizes->head_width;
    if (gguf_has_key(file, "llama.rope.freq_base") &&
        !gguf_get_f32(file, "llama.rope.freq_base", &sizes->rotary_base, error))
        return false;
    if (gguf_has_key(file, "llama.attention.head_count_kv") &&
        !get_size(file, "llama.attention.head_count_kv", 1, 4096, &sizes->kv_heads, error))
        return false;
    return !gguf_has_key(file, "llama.rope.dimension_count") ||
           get_size(file, "llama.rope.dimension_count", 2, 4096, out_rotary, error);
}

static bool check_sizes(const struct gguf *file, const struct model_sizes *sizes, uint32_t rotary,
                        struct chat_error *error)
{
    struct gguf_string scaling;
    if (sizes->heads % sizes->kv_heads != 0)
        return CHAT_FAIL(error, "%s: %" PRIu32 " query heads are no multiple of %" PRIu32 " key/value heads",
                         gguf_label(file), sizes->heads, sizes->kv_heads);
    if (rotary != sizes->head_width)
        return CHAT_FAIL(error, "%s: llama.rope.dimension_count is %" PRIu32 ", expected the head width %" PRIu32,
                         gguf_label(file), rotary, sizes->head_width);
    if (!(sizes->norm_epsilon > 0.0F && sizes->norm_epsilon < 1.0F))
        return CHAT_FAIL(error, "%s: llama.attention.layer_norm_rms_epsilon is out of (0, 1)", gguf_label(file));
    if (!(sizes->rotary_base > 1.0F && sizes->rotary_base < 1e9F))
        return CHAT_FAIL(error, "%s: llama.rope.freq_base is out of (1, 1e9)", gguf_label(file));
    if (gguf_has_key(file, "llama.rope.scaling.type") &&
        (!gguf_get_string(file, "llama.rope.scaling.type", &scaling, error) || scaling.size != 4 ||
         memcmp(scaling.text, "none", 4) != 0))
        return CHAT_FAIL(error, "%s: scaled rotary embedding is not supported (llama.rope.scaling.type)",
                         gguf_label(file));
    return true;
}

static bool read_sizes(const struct gguf *file, uint32_t capacity, struct model_sizes *sizes, struct chat_error *error)
{
    struct gguf_string architecture;
    struct chat_quoted quoted;
    uint32_t rotary;
    if (!gguf_get_string(file, "general.architecture", &architecture, error))
        return false;
    if (architecture.size != 5 || memcmp(architecture.text, "llama", 5) != 0)
        return CHAT_FAIL(error, "%s: general.architecture is \"%s\", expected \"llama\"", gguf_label(file),
                         chat_quote(&quoted, architecture.text, architecture.size));
    if (!get_size(file, "llama.block_count", 1, MODEL_MAX_LAYERS, &sizes->layers, error) ||
        !get_size(file, "llama.embedding_length", 32, 65536, &sizes->width, error) ||
        !get_size(file, "llama.attention.head_count", 1, 4096, &sizes->heads, error) ||
        !get_size(file, "llama.feed_forward_length", 32, 1U << 20, &sizes->feed_forward, error) ||
        !get_size(file, "llama.context_length", 1, 1U << 24, &sizes->trained_context, error) ||
        !gguf_get_f32(file, "llama.attention.layer_norm_rms_epsilon", &sizes->norm_epsilon, error))
        return false;
    if (sizes->width % sizes->heads != 0)
        return CHAT_FAIL(error, "%s: width %" PRIu32 " is no multiple of %" PRIu32 " heads", gguf_label(file),
                         sizes->width, sizes->heads);
    sizes->head_width = sizes->width / sizes->heads;
    sizes->capacity = capacity < sizes->trained_context ? capacity : sizes->trained_context;
    return get_optional(file, sizes, &rotary, error) && check_sizes(file, sizes, rotary, error);
}

static haly_dtype dtype_of(enum gguf_tensor_type type)
{
    switch (type) {
    case GGUF_F32:
        return HALY_F32;
    case GGUF_F16:
        return HALY_F16;
    case GGUF_BF16:
        return HALY_BF16;
    case GGUF_Q4_0:
        return HALY_Q4_0;
    case GGUF_Q4_1:
        return HALY_Q4_1;
    case GGUF_Q8_0:
        return HALY_Q8_0;
    }
    return HALY_DTYPE_NONE;
}

struct upload {
    const struct gguf *file;
    struct model *model;
    model_progress progress;
    void *user;
    uint64_t done, total;
    struct chat_error *error;
};

/* Finds a tensor and checks its shape: `rows` is 0 for a vector. GGUF names the fastest dimension first. */
static bool find(struct upload *upload, const char *name, uint64_t rows, uint64_t columns, struct gguf_tensor *out)
{
    if (!gguf_get_tensor(upload->file, name, out, upload->error))
        return false;
    const uint32_t rank = rows == 0 ? 1 : 2;
    if (out->rank != rank || out->dims[0] != columns || (rank == 2 && out->dims[1] != rows))
        return CHAT_FAIL(
            upload->error,
            "%s: tensor %s has rank %" PRIu32 " and shape %" PRIu64 " x %" PRIu64 ", expected %" PRIu64 " x %" PRIu64,
            gguf_label(upload->file), name, out->rank, out->dims[1], out->dims[0], rows == 0 ? 1 : rows, columns);
    if (rank == 1 && out->type != GGUF_F32)
        return CHAT_FAIL(upload->error, "%s: tensor %s is %s, expected f32", gguf_label(upload->file), name,
                         gguf_type_name(out->type));
    return true;
}

/* Bytes of an element that hold one number; blocks have the file's byte order on every machine. */
static uint64_t number_bytes(enum gguf_tensor_type type)
{
    return type == GGUF_F32 ? 4 : type == GGUF_F16 || type == GGUF_BF16 ? 2 : 1;
}

/* A copy of the numbers in the other byte order, or NULL. */
static unsigned char *turned_round(const struct gguf_tensor *tensor)
{
    const uint64_t width = number_bytes(tensor->type);
    const unsigned char *from = tensor->data;
    unsigned char *to = malloc((size_t)tensor->bytes);
    for (uint64_t i = 0; to != NULL && i < tensor->bytes; i++)
        to[i] = from[i / width * width + (width - 1 - i % width)];
    return to;
}

/* The file is little-endian; where the machine is not, numbers are turned round on the way. */
static bool copy_in(struct upload *upload, const char *name, void *address, const struct gguf_tensor *tensor)
{
    haly_stream *stream = upload->model->stream;
    if (__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__ || number_bytes(tensor->type) == 1)
        return model_check(haly_copy(stream, address, tensor->data, tensor->bytes), name, upload->error);
    unsigned char *turned = turned_round(tensor);
    if (turned == NULL)
        return CHAT_FAIL(upload->error, "%s: out of memory", name);
    bool copied = model_check(haly_copy(stream, address, turned, tensor->bytes), name, upload->error) &&
                  model_check(haly_stream_sync(stream, HALY_FOREVER), name, upload->error);
    free(turned);
    return copied;
}

static bool put(struct upload *upload, const char *name, uint64_t rows, uint64_t columns, haly_tensor *out_tensor)
{
    struct gguf_tensor tensor;
    struct model *model = upload->model;
    if (!find(upload, name, rows, columns, &tensor))
        return false;
    const int64_t shape[2] = {(int64_t)(rows == 0 ? columns : rows), (int64_t)columns};
    if (!model_tensor(model->context, name, dtype_of(tensor.type), rows == 0 ? 1 : 2, shape, out_tensor,
                      upload->error) ||
        !copy_in(upload, name, out_tensor->data, &tensor))
        return false;
    upload->done += tensor.bytes;
    if (upload->progress != NULL)
        upload->progress(upload->user, upload->done, upload->total);
    return true;
}

static bool put_in_layer(struct upload *upload, uint32_t layer, const char *part, uint64_t rows, uint64_t columns,
                         haly_tensor *out_tensor)
{
    char name[GGUF_MAX_NAME + 1];
    snprintf(name, sizeof name, "blk.%" PRIu32 ".%s.weight", layer, part);
    return put(upload, name, rows, columns, out_tensor);
}

static bool put_cache(struct upload *upload, uint32_t index, const char *part, haly_tensor *out_tensor)
{
    const struct model_sizes *sizes = &upload->model->sizes;
    const int64_t shape[4] = {1, sizes->kv_heads, sizes->capacity, sizes->head_width};
    const uint8_t zero = 0;
    char name[GGUF_MAX_NAME];
    snprintf(name, sizeof name, "cache.%" PRIu32 ".%s", index, part);
    if (!model_tensor(upload->model->context, name, HALY_F32, 4, shape, out_tensor, upload->error))
        return false;
    const uint64_t bytes = (uint64_t)sizes->kv_heads * sizes->capacity * sizes->head_width * sizeof(float);
    return model_check(haly_fill(upload->model->stream, out_tensor->data, &zero, 1, bytes), name, upload->error);
}

static bool put_layer(struct upload *upload, uint32_t index)
{
    const struct model_sizes *sizes = &upload->model->sizes;
    struct model_layer *layer = &upload->model->layers[index];
    const uint64_t width = sizes->width, inner = sizes->feed_forward;
    const uint64_t kv_width = (uint64_t)sizes->kv_heads * sizes->head_width;
    return put_in_layer(upload, index, "attn_norm", 0, width, &layer->attention_norm) &&
           put_in_layer(upload, index, "attn_q", width, width, &layer->query) &&
           put_in_layer(upload, index, "attn_k", kv_width, width, &layer->key) &&
           put_in_layer(upload, index, "attn_v", kv_width, width, &layer->value) &&
           put_in_layer(upload, index, "attn_output", width, width, &layer->attention_output) &&
           put_in_layer(upload, index, "ffn_norm", 0, width, &layer->feed_forward_norm) &&
           put_in_layer(upload, index, "ffn_gate", inner, width, &layer->gate) &&
           put_in_layer(upload, index, "ffn_up", inner, width, &layer->up) &&
           put_in_layer(upload, index, "ffn_down", width, inner, &layer->down) &&
           put_cache(upload, index, "key", &layer->key_cache) && put_cache(upload, index, "value", &layer->value_cache);
}

/* The vocabulary's size is that of the embedding table; the tokenizer is held against it by the caller. */
static bool put_ends(struct upload *upload)
{
    struct model *model = upload->model;
    const uint64_t width = model->sizes.width;
    const struct gguf_tensor *table = gguf_find_tensor(upload->file, "token_embd.weight");
    const uint64_t rows = table != NULL && table->rank == 2 ? table->dims[1] : 1;
    if (rows == 0 || rows > INT32_MAX)
        return CHAT_FAIL(upload->error, "%s: tensor token_embd.weight has %" PRIu64 " rows, expected 1 to %d",
                         gguf_label(upload->file), rows, INT32_MAX);
    model->sizes.vocabulary = (uint32_t)rows;
    if (!put(upload, "token_embd.weight", rows, width, &model->embedding) ||
        !put(upload, "output_norm.weight", 0, width, &model->output_norm))
        return false;
    model->output = model->embedding;
    return gguf_find_tensor(upload->file, "output.weight") == NULL ||
           put(upload, "output.weight", rows, width, &model->output);
}

bool model_load(const struct gguf *file, haly_context *context, haly_stream *stream, uint32_t capacity,
                model_progress progress, void *user, struct model *out_model, struct chat_error *error)
{
    struct model model = {.context = context, .stream = stream};
    struct upload upload = {file, &model, progress, user, 0, 0, error};
    if (!read_sizes(file, capacity, &model.sizes, error))
        return false;
    for (uint64_t i = 0; i < gguf_tensor_count(file); i++)
        upload.total += gguf_tensor_at(file, i)->bytes;
    model.layers = calloc(model.sizes.layers, sizeof *model.layers);
    if (model.layers == NULL)
        return CHAT_FAIL(error, "out of memory for %" PRIu32 " layers", model.sizes.layers);
    bool is_good = put_ends(&upload);
    for (uint32_t i = 0; is_good && i < model.sizes.layers; i++)
        is_good = put_layer(&upload, i);
    /* The file is mapped until all copies from it have run. */
    if (!model_check(haly_stream_sync(stream, HALY_FOREVER), "uploading the weights",
                     is_good ? error : &(struct chat_error){{0}}))
        is_good = false;
    if (!is_good) {
        free(model.layers);
        return false;
    }
    model.weight_bytes = upload.done;
    *out_model = model;
    return true;
}

void model_unload(struct model *model)
{
    free(model->layers);
    model->layers = NULL;
}
