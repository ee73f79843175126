/* SPDX-License-Identifier: Apache-2.0 */
/*
 * halyard.CachedAttention in f32: new keys and values go into the caches, then the tuned attention reads them. With few
 * queries a tile is one key/value head, from storing to result; with many, storing comes first for all heads, and a
 * tile of the second pass is a block of queries of one head.
 */
#include "cpu_plan_attention.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cpu_attention.h"
#include "planted.h"

#define QUERY_BLOCK 32U /* queries in a tile of the second pass */
#define PRODUCTS_PER_NANOSECOND 16U

/* A tensor with four dimensions, its element 0 apart. */
struct view {
    int64_t strides[4];
};

struct attention {
    struct cpu_attention job; /* without addresses and lengths */
    void (*run)(const struct cpu_attention *job);
    struct view q, k, v, k_cache, v_cache, y;
    uint64_t batches, kv_heads;
    uint64_t blocks; /* of queries */
};

struct attention_call {
    const struct attention *plan;
    const struct cpu_plan_call *call;
};

/* Rows of k or v of one head to their place in the cache. */
static void store(const struct attention *plan, const float *from, const struct view *view, float *to,
                  const struct view *cache, uint64_t batch, uint64_t head, int64_t past)
{
    const size_t bytes = plan->job.head_size * sizeof(float);
    from += (int64_t)batch * view->strides[0] + (int64_t)head * view->strides[2];
    to += (int64_t)batch * cache->strides[0] + (int64_t)head * cache->strides[1] + past * cache->strides[2];
    for (uint64_t s = 0; s < plan->job.i1; s++)
        memcpy(to + (int64_t)s * cache->strides[2], from + (int64_t)s * view->strides[1], bytes);
}

static void store_head(void *argument, uint64_t tile)
{
    const struct attention_call *own = argument;
    const struct attention *plan = own->plan;
    void *const *addresses = own->call->addresses;
    const uint64_t batch = tile / plan->kv_heads, head = tile % plan->kv_heads;
    const int64_t past = own->call->values[batch] + PLANTED_OR(cache_is_written_one_late, 0, 1);
    store(plan, addresses[1], &plan->k, addresses[3], &plan->k_cache, batch, head, past);
    store(plan, addresses[2], &plan->v, addresses[4], &plan->v_cache, batch, head, past);
}

static void attend(const struct attention_call *own, uint64_t batch, uint64_t head, uint64_t from, uint64_t to)
{
    const struct attention *plan = own->plan;
    void *const *addresses = own->call->addresses;
    struct cpu_attention job = plan->job;
    const int64_t b = (int64_t)batch, g = (int64_t)head, h = g * (int64_t)job.heads, past = own->call->values[batch];
    job.kv_length = (uint64_t)past + job.i1;
    job.causal_offset = past;
    job.q = (const float *)addresses[0] + b * plan->q.strides[0] + h * plan->q.strides[2];
    job.k = (const float *)addresses[3] + b * plan->k_cache.strides[0] + g * plan->k_cache.strides[1];
    job.v = (const float *)addresses[4] + b * plan->v_cache.strides[0] + g * plan->v_cache.strides[1];
    job.y = (float *)addresses[5] + b * plan->y.strides[0] + h * plan->y.strides[2];
    job.i0 = from;
    job.i1 = to;
    plan->run(&job);
}

static void store_and_attend_head(void *argument, uint64_t tile)
{
    const struct attention_call *own = argument;
    store_head(argument, tile);
    attend(own, tile / own->plan->kv_heads, tile % own->plan->kv_heads, 0, own->plan->job.i1);
}

/* The last block of queries sees most keys: it goes first, so that no long tile is left for the end. */
static void attend_block(void *argument, uint64_t tile)
{
    const struct attention_call *own = argument;
    const struct attention *plan = own->plan;
    const uint64_t heads = plan->batches * plan->kv_heads, head = tile % heads;
    const uint64_t from = (plan->blocks - 1 - tile / heads) * QUERY_BLOCK, rest = plan->job.i1 - from;
    attend(own, head / plan->kv_heads, head % plan->kv_heads, from, from + (rest < QUERY_BLOCK ? rest : QUERY_BLOCK));
}

static haly_status run(const struct cpu_plan *plan, const struct cpu_work *work, const struct cpu_plan_call *call,
                       const char **out_text)
{
    (void)out_text;
    const struct attention *self = plan->state;
    struct attention_call own = {self, call};
    const struct cpu_work unbounded = {work->queue, work->threads, CPU_NEVER};
    const uint64_t heads = self->batches * self->kv_heads;
    struct cpu_tiles tiles = {.argument = &own, .count = heads, .cost = plan->cost_guess};
    if (self->blocks <= 1) {
        tiles.run = store_and_attend_head;
        cpu_pool_run(&unbounded, &tiles);
        return HALY_OK;
    }
    tiles.run = store_head;
    tiles.cost = heads * self->job.i1 * self->job.head_size / 4;
    cpu_pool_run(&unbounded, &tiles);
    tiles = (struct cpu_tiles){
        .run = attend_block, .argument = &own, .count = heads * self->blocks, .cost = plan->cost_guess};
    cpu_pool_run(&unbounded, &tiles);
    return HALY_OK;
}

static void destroy(struct cpu_plan *plan)
{
    free(plan->state);
}

static void (*function_for(enum cpu_isa isa))(const struct cpu_attention *)
{
#if defined(__x86_64__)
    if (isa == CPU_ISA_AVX512)
        return haly_cpu_attention_avx512;
    if (isa == CPU_ISA_AVX2)
        return haly_cpu_attention_avx2;
#endif
    (void)isa;
    return haly_cpu_attention_baseline;
}

static const haly_attribute *attribute_of(const haly_op_desc *desc, const char *name)
{
    for (uint32_t i = 0; i < desc->attribute_count; i++)
        if (strcmp(desc->attributes[i].name, name) == 0)
            return &desc->attributes[i];
    return NULL;
}

static bool take_view(const haly_tensor *tensor, struct view *out_view)
{
    memcpy(out_view->strides, tensor->strides, sizeof out_view->strides);
    return tensor->dtype == HALY_F32 && (tensor->shape[3] <= 1 || tensor->strides[3] == 1);
}

static haly_status describe(const haly_op_desc *desc, struct attention *self)
{
    const haly_tensor *q = &desc->inputs[0], *k_cache = &desc->inputs[3];
    const haly_attribute *scale = attribute_of(desc, "scale"), *causal = attribute_of(desc, "causal");
    struct view *const views[6] = {&self->q, &self->k, &self->v, &self->k_cache, &self->v_cache, &self->y};
    for (uint32_t i = 0; i < 6; i++)
        if (!take_view(i < 5 ? &desc->inputs[i] : &desc->outputs[0], views[i]))
            return FAIL(HALY_ERR_UNSUPPORTED, "the tuned attention takes f32 with adjacent elements of a head");
    if (q->shape[3] % 16 != 0 || q->shape[3] > CPU_ATTENTION_MAX_SIZE || q->shape[2] > UINT32_MAX ||
        k_cache->shape[1] <= 0)
        return FAIL(HALY_ERR_UNSUPPORTED, "the tuned attention takes heads of a multiple of 16 elements, at most %u",
                    CPU_ATTENTION_MAX_SIZE);
    self->batches = (uint64_t)q->shape[0];
    self->kv_heads = (uint64_t)k_cache->shape[1];
    self->blocks = ((uint64_t)q->shape[1] + QUERY_BLOCK - 1) / QUERY_BLOCK;
    self->job.i1 = (uint64_t)q->shape[1];
    self->job.heads = (uint32_t)(q->shape[2] / k_cache->shape[1]);
    self->job.head_size = self->job.value_size = (uint32_t)q->shape[3];
    self->job.is_causal = causal == NULL || causal->value.i != 0;
    self->job.scale =
        scale != NULL && scale->value.f != 0 ? (float)scale->value.f : (float)(1 / __builtin_sqrt((double)q->shape[3]));
    self->job.q_row = q->strides[1];
    self->job.q_head = q->strides[2];
    self->job.k_row = k_cache->strides[2];
    self->job.v_row = desc->inputs[4].strides[2];
    self->job.y_row = desc->outputs[0].strides[1];
    self->job.y_head = desc->outputs[0].strides[2];
    return HALY_OK;
}

haly_status cpu_plan_attention_create(const struct cpu_context *context, struct cpu_plan *plan,
                                      const haly_op_desc *desc, haly_backend_plan *out_plan)
{
    const enum cpu_isa isa = context->device->config.isa;
    struct attention described = {.run = function_for(isa)};
    TRY(describe(desc, &described));
    struct attention *self = malloc(sizeof *self);
    if (self == NULL)
        return FAIL(HALY_ERR_HOST_OOM, "out of memory for a plan");
    *self = described;
    plan->run = run;
    plan->destroy = destroy;
    plan->state = self;
    /* Half of the cache is as good a guess as any, until runs are timed. */
    plan->cost_guess = 1000 + self->batches * self->kv_heads * self->job.i1 * self->job.heads * self->job.head_size *
                                  (uint64_t)desc->inputs[3].shape[2] / PRODUCTS_PER_NANOSECOND;
    snprintf(out_plan->path, sizeof out_plan->path, "attention %s", cpu_isa_name(isa));
    return HALY_OK;
}
