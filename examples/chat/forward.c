/* SPDX-License-Identifier: Apache-2.0 */
/* The transformer, as plans over Halyard operators. */
#include "forward.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

enum { PASS_MATMULS = 32 };

/*
 * The plans of one layer serve all layers, so a pass has each once. Products are kept by size and type of the weight:
 * files mix types, and a layer has several matrices of one size. All activations have `count` rows.
 */
struct pass {
    uint32_t count, matmul_count;
    haly_plan *embed, *norm, *rotate_query, *rotate_key, *attend, *add_norm, *swiglu, *add;
    struct {
        int64_t outputs, inputs;
        haly_dtype dtype;
        haly_plan *plan;
    } matmuls[PASS_MATMULS];
};

/* What is made from the last row alone. */
struct head {
    haly_plan *norm, *best, *scale, *softmax;
};

struct forward {
    struct model *model;
    struct forward_choice choice;
    uint32_t length; /* tokens in the cache */
    struct pass decode, chunk;
    struct head head;
    /* Activations, with room for a chunk. */
    haly_tensor tokens, positions, residual, normed, query, key, value, attended, projected, gate, up, down;
    haly_tensor last, logits, best, scale, scaled, probabilities;
    int32_t host_tokens[FORWARD_CHUNK], host_positions[FORWARD_CHUNK];
    int64_t *host_best;        /* pinned */
    float *host_probabilities; /* pinned; NULL when greedy */
};

static haly_tensor rows(haly_tensor tensor, uint32_t count)
{
    tensor.shape[0] = count;
    return tensor;
}

/* [count, heads * head_width] seen as [1, count, heads, head_width]. */
static haly_tensor by_heads(haly_tensor tensor, uint32_t count, uint32_t heads, uint32_t head_width)
{
    return haly_tensor_4d(tensor.dtype, tensor.data, 1, count, heads, head_width);
}

static bool plan(struct forward *forward, const haly_op_desc *desc, haly_plan **out_plan, struct chat_error *error)
{
    return model_check(haly_plan_create(forward->model->context, desc, out_plan), desc->name, error);
}

static bool plan_norm(struct forward *forward, haly_tensor y, haly_tensor x, haly_plan **out, struct chat_error *error)
{
    return plan(forward,
                &(haly_op_desc){HALY_OP_DESC_INIT, .name = "RMSNormalization",
                                HALY_INPUTS(x, forward->model->output_norm), HALY_OUTPUTS(y),
                                HALY_ATTRIBUTES(haly_attribute_float("epsilon", forward->model->sizes.norm_epsilon))},
                out, error);
}

static bool plan_rotary(struct forward *forward, haly_tensor x, uint32_t heads, uint32_t count, haly_plan **out,
                        struct chat_error *error)
{
    const struct model_sizes *sizes = &forward->model->sizes;
    const haly_tensor turned = by_heads(x, count, heads, sizes->head_width);
    const haly_tensor positions = haly_tensor_2d(HALY_I32, forward->positions.data, 1, count);
    return plan(forward,
                &(haly_op_desc){HALY_OP_DESC_INIT, .domain = "halyard", .name = "Rotary",
                                HALY_INPUTS(turned, positions), HALY_OUTPUTS(turned),
                                HALY_ATTRIBUTES(haly_attribute_float("base", sizes->rotary_base),
                                                haly_attribute_int("interleaved", 1))},
                out, error);
}

static bool plan_attention(struct forward *forward, struct pass *pass, struct chat_error *error)
{
    const struct model_sizes *sizes = &forward->model->sizes;
    const struct model_layer *layer = &forward->model->layers[0];
    const uint32_t count = pass->count, width = sizes->head_width;
    const haly_tensor query = by_heads(forward->query, count, sizes->heads, width);
    const haly_tensor key = by_heads(forward->key, count, sizes->kv_heads, width);
    const haly_tensor value = by_heads(forward->value, count, sizes->kv_heads, width);
    const haly_tensor y = by_heads(forward->attended, count, sizes->heads, width);
    return plan_rotary(forward, forward->query, sizes->heads, count, &pass->rotate_query, error) &&
           plan_rotary(forward, forward->key, sizes->kv_heads, count, &pass->rotate_key, error) &&
           plan(forward,
                &(haly_op_desc){HALY_OP_DESC_INIT, .domain = "halyard", .name = "CachedAttention",
                                HALY_INPUTS(query, key, value, layer->key_cache, layer->value_cache), HALY_OUTPUTS(y)},
                &pass->attend, error);
}

static bool plan_residuals(struct forward *forward, struct pass *pass, struct chat_error *error)
{
    const uint32_t count = pass->count;
    const haly_tensor residual = rows(forward->residual, count), normed = rows(forward->normed, count);
    const haly_tensor projected = rows(forward->projected, count);
    const haly_tensor tokens = haly_tensor_1d(HALY_I32, forward->tokens.data, count);
    return plan(forward,
                &(haly_op_desc){HALY_OP_DESC_INIT, .domain = "halyard", .name = "Embedding",
                                HALY_INPUTS(forward->model->embedding, tokens), HALY_OUTPUTS(residual)},
                &pass->embed, error) &&
           plan(forward,
                &(haly_op_desc){HALY_OP_DESC_INIT, .domain = "halyard", .name = "AddRMSNorm",
                                HALY_INPUTS(residual, projected, forward->model->output_norm),
                                HALY_OUTPUTS(normed, residual),
                                HALY_ATTRIBUTES(haly_attribute_float("epsilon", forward->model->sizes.norm_epsilon))},
                &pass->add_norm, error) &&
           plan(forward,
                &(haly_op_desc){HALY_OP_DESC_INIT, .name = "Add", HALY_INPUTS(residual, projected),
                                HALY_OUTPUTS(residual)},
                &pass->add, error);
}

static bool plan_swiglu(struct forward *forward, struct pass *pass, struct chat_error *error)
{
    const haly_tensor gate = rows(forward->gate, pass->count), up = rows(forward->up, pass->count);
    return plan(forward,
                &(haly_op_desc){HALY_OP_DESC_INIT, .domain = "halyard", .name = "SwiGLU", HALY_INPUTS(gate, up),
                                HALY_OUTPUTS(gate)},
                &pass->swiglu, error);
}

static bool pass_create(struct forward *forward, uint32_t count, struct pass *pass, struct chat_error *error)
{
    pass->count = count;
    return plan_norm(forward, rows(forward->normed, count), rows(forward->residual, count), &pass->norm, error) &&
           plan_attention(forward, pass, error) && plan_residuals(forward, pass, error) &&
           plan_swiglu(forward, pass, error);
}

static void pass_destroy(struct pass *pass)
{
    haly_plan *plans[] = {pass->embed,  pass->norm,     pass->rotate_query, pass->rotate_key,
                          pass->attend, pass->add_norm, pass->swiglu,       pass->add};
    for (size_t i = 0; i < sizeof plans / sizeof *plans; i++)
        haly_plan_release(plans[i]);
    for (uint32_t i = 0; i < pass->matmul_count; i++)
        haly_plan_release(pass->matmuls[i].plan);
    *pass = (struct pass){0};
}

static bool run_plan(struct forward *forward, haly_plan *prepared, const char *what, void *const *addresses,
                     uint32_t count, struct chat_error *error)
{
    return model_check(haly_plan_run(forward->model->stream, prepared, addresses, count, NULL, 0), what, error);
}
#define RUN(forward_, plan_, what_, error_, ...)                                                                       \
    run_plan((forward_), (plan_), (what_), (void *const[]){__VA_ARGS__},                                               \
             (uint32_t)(sizeof((void *const[]){__VA_ARGS__}) / sizeof(void *)), (error_))

/* The plan for y = x * transpose(weight), made when it is first needed. */
static bool find_matmul(struct forward *forward, struct pass *pass, haly_tensor y, haly_tensor x, haly_tensor weight,
                        haly_plan **out_plan, struct chat_error *error)
{
    for (uint32_t i = 0; i < pass->matmul_count; i++) {
        *out_plan = pass->matmuls[i].plan;
        if (pass->matmuls[i].outputs == weight.shape[0] && pass->matmuls[i].inputs == weight.shape[1] &&
            pass->matmuls[i].dtype == weight.dtype)
            return true;
    }
    if (pass->matmul_count == PASS_MATMULS)
        return CHAT_FAIL(error, "the model has more than %d kinds of weights", PASS_MATMULS);
    if (!plan(forward,
              &(haly_op_desc){HALY_OP_DESC_INIT, .domain = "halyard", .name = "QuantizedMatMul",
                              HALY_INPUTS(rows(x, pass->count), weight), HALY_OUTPUTS(rows(y, pass->count))},
              out_plan, error))
        return false;
    const uint32_t i = pass->matmul_count++;
    pass->matmuls[i].outputs = weight.shape[0];
    pass->matmuls[i].inputs = weight.shape[1];
    pass->matmuls[i].dtype = weight.dtype;
    pass->matmuls[i].plan = *out_plan;
    return true;
}

static bool multiply(struct forward *forward, struct pass *pass, haly_tensor y, haly_tensor x, haly_tensor weight,
                     const char *what, struct chat_error *error)
{
    haly_plan *prepared = NULL;
    return find_matmul(forward, pass, y, x, weight, &prepared, error) &&
           RUN(forward, prepared, what, error, x.data, weight.data, y.data);
}

static bool attend(struct forward *forward, struct pass *pass, const struct model_layer *layer,
                   struct chat_error *error)
{
    void *const addresses[] = {forward->query.data,   forward->key.data,       forward->value.data,
                               layer->key_cache.data, layer->value_cache.data, forward->attended.data};
    const int64_t past = forward->length;
    return multiply(forward, pass, forward->query, forward->normed, layer->query, "query", error) &&
           multiply(forward, pass, forward->key, forward->normed, layer->key, "key", error) &&
           multiply(forward, pass, forward->value, forward->normed, layer->value, "value", error) &&
           RUN(forward, pass->rotate_query, "rotary", error, forward->query.data, forward->positions.data,
               forward->query.data) &&
           RUN(forward, pass->rotate_key, "rotary", error, forward->key.data, forward->positions.data,
               forward->key.data) &&
           model_check(haly_plan_run(forward->model->stream, pass->attend, addresses, 6, &past, 1), "attention", error);
}

static bool run_layer(struct forward *forward, struct pass *pass, const struct model_layer *layer,
                      struct chat_error *error)
{
    void *normed = forward->normed.data, *residual = forward->residual.data, *projected = forward->projected.data;
    return RUN(forward, pass->norm, "attention norm", error, residual, layer->attention_norm.data, normed) &&
           attend(forward, pass, layer, error) &&
           multiply(forward, pass, forward->projected, forward->attended, layer->attention_output, "attention output",
                    error) &&
           RUN(forward, pass->add_norm, "feed-forward norm", error, residual, projected, layer->feed_forward_norm.data,
               normed, residual) &&
           multiply(forward, pass, forward->gate, forward->normed, layer->gate, "gate", error) &&
           multiply(forward, pass, forward->up, forward->normed, layer->up, "up", error) &&
           RUN(forward, pass->swiglu, "swiglu", error, forward->gate.data, forward->up.data, forward->gate.data) &&
           multiply(forward, pass, forward->projected, forward->gate, layer->down, "down", error) &&
           RUN(forward, pass->add, "add", error, residual, projected, residual);
}

static bool run_pass(struct forward *forward, struct pass *pass, const int32_t *tokens, struct chat_error *error)
{
    haly_stream *stream = forward->model->stream;
    const uint64_t bytes = pass->count * sizeof(int32_t);
    for (uint32_t i = 0; i < pass->count; i++) {
        forward->host_tokens[i] = tokens[i];
        forward->host_positions[i] = (int32_t)(forward->length + i);
    }
    bool is_good =
        model_check(haly_copy(stream, forward->tokens.data, forward->host_tokens, bytes), "tokens", error) &&
        model_check(haly_copy(stream, forward->positions.data, forward->host_positions, bytes), "positions", error) &&
        RUN(forward, pass->embed, "embedding", error, forward->model->embedding.data, forward->tokens.data,
            forward->residual.data);
    for (uint32_t i = 0; is_good && i < forward->model->sizes.layers; i++)
        is_good = run_layer(forward, pass, &forward->model->layers[i], error);
    if (is_good)
        forward->length += pass->count;
    return is_good;
}

/* From the last row of the residual stream to the choice of a token. */
static bool run_head(struct forward *forward, uint32_t count, struct chat_error *error)
{
    const struct head *head = &forward->head;
    haly_stream *stream = forward->model->stream;
    char *last_row =
        (char *)forward->residual.data + (uint64_t)(count - 1) * forward->model->sizes.width * sizeof(float);
    const uint64_t bytes = forward->model->sizes.vocabulary * sizeof(float);
    if (!RUN(forward, head->norm, "output norm", error, last_row, forward->model->output_norm.data,
             forward->last.data) ||
        !multiply(forward, &forward->decode, forward->logits, forward->last, forward->model->output, "logits", error))
        return false;
    if (forward->choice.is_greedy)
        return RUN(forward, head->best, "argmax", error, forward->logits.data, forward->best.data) &&
               model_check(haly_copy(stream, forward->host_best, forward->best.data, sizeof(int64_t)), "best", error);
    return RUN(forward, head->scale, "temperature", error, forward->logits.data, forward->scale.data,
               forward->scaled.data) &&
           RUN(forward, head->softmax, "softmax", error, forward->scaled.data, forward->probabilities.data) &&
           model_check(haly_copy(stream, forward->host_probabilities, forward->probabilities.data, bytes),
                       "probabilities", error);
}

/* The rest of a prompt, with plans of its own length. */
static bool run_rest(struct forward *forward, const int32_t *tokens, uint32_t count, struct chat_error *error)
{
    struct pass pass = {0};
    const bool is_good = pass_create(forward, count, &pass, error) && run_pass(forward, &pass, tokens, error);
    pass_destroy(&pass);
    return is_good;
}

bool forward_run(struct forward *forward, const int32_t *tokens, uint32_t count, struct chat_error *error)
{
    haly_stream *stream = forward->model->stream;
    const uint32_t capacity = forward->model->sizes.capacity;
    uint32_t step = 0;
    if (count == 0 || count > capacity - forward->length)
        return CHAT_FAIL(error,
                         "%" PRIu32 " tokens do not fit: the context holds %" PRIu32
                         " (see --context), of which %" PRIu32 " are taken",
                         count, capacity, forward->length);
    for (uint32_t at = 0; at < count; at += step) {
        step = count - at < FORWARD_CHUNK ? count - at : FORWARD_CHUNK;
        struct pass *ready = step == 1 ? &forward->decode : step == FORWARD_CHUNK ? &forward->chunk : NULL;
        if (ready == &forward->chunk && ready->count == 0 &&
            !pass_create(forward, FORWARD_CHUNK, &forward->chunk, error))
            return false;
        /* The host's copies of tokens and positions are written again for each step. */
        if (at > 0 && !model_check(haly_stream_sync(stream, HALY_FOREVER), "prefill", error))
            return false;
        if (!(ready != NULL ? run_pass(forward, ready, tokens + at, error)
                            : run_rest(forward, tokens + at, step, error)))
            return false;
    }
    return run_head(forward, step, error) && model_check(haly_stream_sync(stream, HALY_FOREVER), "the model", error);
}

static bool activations_create(struct forward *forward, struct chat_error *error)
{
    const struct model_sizes *sizes = &forward->model->sizes;
    const int64_t width = sizes->width, inner = sizes->feed_forward, vocabulary = sizes->vocabulary;
    const int64_t kv_width = (int64_t)sizes->kv_heads * sizes->head_width;
    const struct {
        const char *name;
        haly_tensor *tensor;
        haly_dtype dtype;
        int64_t shape[2];
    } list[] = {
        {"tokens", &forward->tokens, HALY_I32, {1, FORWARD_CHUNK}},
        {"positions", &forward->positions, HALY_I32, {1, FORWARD_CHUNK}},
        {"residual", &forward->residual, HALY_F32, {FORWARD_CHUNK, width}},
        {"normed", &forward->normed, HALY_F32, {FORWARD_CHUNK, width}},
        {"query", &forward->query, HALY_F32, {FORWARD_CHUNK, width}},
        {"key", &forward->key, HALY_F32, {FORWARD_CHUNK, kv_width}},
        {"value", &forward->value, HALY_F32, {FORWARD_CHUNK, kv_width}},
        {"attended", &forward->attended, HALY_F32, {FORWARD_CHUNK, width}},
        {"projected", &forward->projected, HALY_F32, {FORWARD_CHUNK, width}},
        {"gate", &forward->gate, HALY_F32, {FORWARD_CHUNK, inner}},
        {"up", &forward->up, HALY_F32, {FORWARD_CHUNK, inner}},
        {"last", &forward->last, HALY_F32, {1, width}},
        {"logits", &forward->logits, HALY_F32, {1, vocabulary}},
        {"scaled", &forward->scaled, HALY_F32, {1, vocabulary}},
        {"probabilities", &forward->probabilities, HALY_F32, {1, vocabulary}},
        {"scale", &forward->scale, HALY_F32, {1, 1}},
        {"best", &forward->best, HALY_I64, {1, 1}},
    };
    for (size_t i = 0; i < sizeof list / sizeof *list; i++)
        if (!model_tensor(forward->model->context, list[i].name, list[i].dtype, 2, list[i].shape, list[i].tensor,
                          error))
            return false;
    return true;
}

static bool head_create(struct forward *forward, struct chat_error *error)
{
    struct model *model = forward->model;
    struct head *head = &forward->head;
    const haly_tensor best = haly_tensor_1d(HALY_I64, forward->best.data, 1);
    const float factor = 1.0F / forward->choice.temperature;
    void *pinned = NULL;
    if (!plan_norm(forward, forward->last, rows(forward->residual, 1), &head->norm, error) ||
        !model_check(haly_host_alloc(model->context, sizeof(int64_t), &pinned), "the result", error))
        return false;
    forward->host_best = pinned;
    if (forward->choice.is_greedy)
        return plan(forward,
                    &(haly_op_desc){HALY_OP_DESC_INIT, .name = "ArgMax", HALY_INPUTS(forward->logits),
                                    HALY_OUTPUTS(best),
                                    HALY_ATTRIBUTES(haly_attribute_int("axis", -1), haly_attribute_int("keepdims", 0))},
                    &head->best, error);
    const uint64_t bytes = model->sizes.vocabulary * sizeof(float);
    if (!model_check(haly_host_alloc(model->context, bytes, &pinned), "probabilities", error))
        return false;
    forward->host_probabilities = pinned;
    return plan(forward,
                &(haly_op_desc){HALY_OP_DESC_INIT, .name = "Mul", HALY_INPUTS(forward->logits, forward->scale),
                                HALY_OUTPUTS(forward->scaled)},
                &head->scale, error) &&
           plan(forward,
                &(haly_op_desc){HALY_OP_DESC_INIT, .name = "Softmax", HALY_INPUTS(forward->scaled),
                                HALY_OUTPUTS(forward->probabilities)},
                &head->softmax, error) &&
           model_check(haly_fill(model->stream, forward->scale.data, &factor, sizeof factor, sizeof factor),
                       "temperature", error);
}

bool forward_create(struct model *model, const struct forward_choice *choice, struct forward **out_forward,
                    struct chat_error *error)
{
    struct forward *forward = calloc(1, sizeof *forward);
    if (forward == NULL)
        return CHAT_FAIL(error, "out of memory for the activations' list");
    forward->model = model;
    forward->choice = *choice;
    if (!activations_create(forward, error) || !head_create(forward, error) ||
        !pass_create(forward, 1, &forward->decode, error)) {
        forward_destroy(forward);
        return false;
    }
    *out_forward = forward;
    return true;
}

void forward_destroy(struct forward *forward)
{
    if (forward == NULL)
        return;
    haly_plan *plans[] = {forward->head.norm, forward->head.best, forward->head.scale, forward->head.softmax};
    for (size_t i = 0; i < sizeof plans / sizeof *plans; i++)
        haly_plan_release(plans[i]);
    pass_destroy(&forward->decode);
    pass_destroy(&forward->chunk);
    haly_host_free(forward->model->context, forward->host_best);
    haly_host_free(forward->model->context, forward->host_probabilities);
    free(forward); /* device memory goes with the context */
}

uint32_t forward_length(const struct forward *forward)
{
    return forward->length;
}

int32_t forward_best(const struct forward *forward)
{
    return (int32_t)*forward->host_best;
}

const float *forward_probabilities(const struct forward *forward)
{
    return forward->host_probabilities;
}

bool forward_logits(struct forward *forward, float *out_logits, struct chat_error *error)
{
    const uint64_t bytes = forward->model->sizes.vocabulary * sizeof(float);
    return model_check(haly_copy(forward->model->stream, out_logits, forward->logits.data, bytes), "logits", error) &&
           model_check(haly_stream_sync(forward->model->stream, HALY_FOREVER), "logits", error);
}
