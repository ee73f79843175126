/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A llama-architecture model on a Halyard context: sizes read from the file, weights uploaded as they are stored
 * (quantised ones stay quantised), key/value caches. What the model computes stands in forward.h.
 */
#ifndef CHAT_MODEL_H
#define CHAT_MODEL_H

#include <halyard/halyard.h>

#include "gguf.h"

enum { MODEL_MAX_LAYERS = 256 };

struct model_sizes {
    uint32_t layers, width, heads, kv_heads, head_width, feed_forward, vocabulary;
    uint32_t trained_context; /* longest sequence the model was trained on */
    uint32_t capacity;        /* tokens the caches hold */
    float norm_epsilon, rotary_base;
};

struct model_layer {
    haly_tensor attention_norm, query, key, value, attention_output;
    haly_tensor feed_forward_norm, gate, up, down;
    haly_tensor key_cache, value_cache; /* [1, kv_heads, capacity, head_width] f32 */
};

struct model {
    haly_context *context;
    haly_stream *stream;
    struct model_sizes sizes;
    struct model_layer *layers;
    haly_tensor embedding, output_norm, output; /* output is the embedding when the file ties them */
    uint64_t weight_bytes;
};

/* Called now and then while weights are uploaded. */
typedef void (*model_progress)(void *user, uint64_t done, uint64_t total);

/*
 * Checks the file against the architecture, then uploads. `capacity` is the longest sequence wanted, cut to what the
 * model was trained on. The context and stream stay the caller's; memory goes with the context.
 */
bool model_load(const struct gguf *file, haly_context *context, haly_stream *stream, uint32_t capacity,
                model_progress progress, void *user, struct model *out_model, struct chat_error *error);
void model_unload(struct model *model);

/* True for HALY_OK; else writes "<what>: <Halyard's own sentence>". */
bool model_check(haly_status status, const char *what, struct chat_error *error);

/* Device memory for a tensor without gaps, described by name. */
bool model_tensor(haly_context *context, const char *name, haly_dtype dtype, uint32_t rank, const int64_t *shape,
                  haly_tensor *out_tensor, struct chat_error *error);

#endif
