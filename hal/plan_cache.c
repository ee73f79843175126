/* SPDX-License-Identifier: Apache-2.0 */
/* The cache of eager plans. Its lock is held for a look at one bucket and never across a backend's call. */
#include "plan_cache.h"

#include <stdlib.h>
#include <string.h>

#include "hash.h"
#include "plan_object.h"
#include "planted.h"

haly_status plans_open(haly_context *context)
{
    struct plan_cache *cache = calloc(1, sizeof *cache);
    if (cache == NULL)
        return fail_host_oom("a plan cache", sizeof *cache);
    cache->kernels = operator_kernels_create();
    if (cache->kernels == NULL) {
        free(cache);
        return fail_host_oom("a table of operator kernels", 1);
    }
    pthread_mutex_init(&cache->lock, NULL);
    context->plans = cache;
    return HALY_OK;
}

/* Everything is idle, and nobody else may hold what the cache made. */
static void entry_destroy(struct plan_cache_entry *entry)
{
    if (entry->plan != NULL)
        plan_destroy(&entry->plan->object);
    free(entry->data);
}

void plans_close(haly_context *context)
{
    struct plan_cache *cache = context->plans;
    for (uint32_t bucket = 0; bucket < PLAN_CACHE_BUCKETS; bucket++)
        for (uint32_t way = 0; way < PLAN_CACHE_WAYS; way++)
            entry_destroy(&cache->entries[bucket][way]);
    operator_kernels_destroy(cache->kernels);
    pthread_mutex_destroy(&cache->lock);
    free(cache);
    context->plans = NULL;
}

/* Appends words to a key; false when it is full. */
static bool put(struct plan_key *key, const void *data, size_t bytes)
{
    const size_t words = (bytes + 7) / 8;
    if (key->words + words > sizeof key->data / sizeof *key->data)
        return false;
    if (bytes == 0)
        return true;
    if (bytes % 8 != 0)
        key->data[key->words + words - 1] = 0;
    memcpy(&key->data[key->words], data, bytes);
    key->words += (uint32_t)words;
    return true;
}

/* Length first, so that no two lists of texts look alike. */
static bool put_text(struct plan_key *key, const char *text)
{
    const uint64_t length = strlen(text);
    return length < sizeof key->data && put(key, &length, sizeof length) && put(key, text, length);
}

static bool put_tensor(struct plan_key *key, const haly_tensor *tensor)
{
    const uint32_t head[2] = {(uint32_t)tensor->dtype, tensor->rank};
    if (tensor->rank > HALY_MAX_RANK || tensor->reserved != 0)
        return false; /* about to be refused */
    return put(key, head, sizeof head) && put(key, tensor->shape, tensor->rank * sizeof *tensor->shape) &&
           put(key, tensor->strides, tensor->rank * sizeof *tensor->strides);
}

static bool put_attribute(struct plan_key *key, const haly_attribute *attribute)
{
    const uint32_t head[2] = {(uint32_t)attribute->kind, attribute->count};
    if (attribute->name == NULL || !put_text(key, attribute->name) || !put(key, head, sizeof head))
        return false;
    if (attribute->kind == HALY_ATTRIBUTE_TEXT)
        return attribute->value.text != NULL && put_text(key, attribute->value.text);
    PLANTED(plan_of_other_attributes, return true);
    if (attribute->kind != HALY_ATTRIBUTE_INTS)
        return put(key, &attribute->value, sizeof attribute->value);
    return (attribute->value.ints != NULL || attribute->count == 0) && attribute->count <= HALY_MAX_RANK &&
           put(key, attribute->value.ints, attribute->count * sizeof *attribute->value.ints);
}

bool plan_key_make(const struct op_call *call, struct plan_key *key)
{
    const haly_op_desc *desc = &call->desc;
    const uint32_t head[6] = {desc->version,      desc->flags,           desc->input_count,
                              desc->output_count, desc->attribute_count, 0};
    key->words = 0;
    bool fits = put(key, head, sizeof head) && put_text(key, desc->domain) && put_text(key, desc->name);
    for (uint32_t i = 0; fits && i < desc->input_count; i++)
        fits = put_tensor(key, &call->inputs[i]);
    for (uint32_t i = 0; fits && i < desc->output_count; i++)
        fits = put_tensor(key, &call->outputs[i]);
    for (uint32_t i = 0; fits && i < desc->attribute_count; i++)
        fits = put_attribute(key, &call->attributes[i]);
    key->hash = fits ? hash_words(key->data, key->words) : 0;
    return fits;
}

static struct plan_cache_entry *bucket_of(struct plan_cache *cache, const struct plan_key *key)
{
    return cache->entries[(key->hash >> 32) % PLAN_CACHE_BUCKETS];
}

haly_plan *plan_cache_find(struct plan_cache *cache, const struct plan_key *key)
{
    haly_plan *found = NULL;
    pthread_mutex_lock(&cache->lock);
    struct plan_cache_entry *bucket = bucket_of(cache, key);
    for (uint32_t way = 0; way < PLAN_CACHE_WAYS && found == NULL; way++) {
        struct plan_cache_entry *entry = &bucket[way];
        if (entry->plan == NULL || entry->hash != key->hash || entry->words != key->words ||
            memcmp(entry->data, key->data, key->words * sizeof *key->data) != 0)
            continue;
        entry->used = ++cache->clock;
        found = entry->plan;
        haly_plan_retain(found);
    }
    pthread_mutex_unlock(&cache->lock);
    return found;
}

void plan_cache_put(struct plan_cache *cache, const struct plan_key *key, haly_plan *plan)
{
    const size_t bytes = key->words * sizeof *key->data;
    uint64_t *data = malloc(bytes);
    if (data == NULL)
        return;
    memcpy(data, key->data, bytes);
    haly_plan_retain(plan);
    pthread_mutex_lock(&cache->lock);
    struct plan_cache_entry *oldest = bucket_of(cache, key);
    for (uint32_t way = 1; way < PLAN_CACHE_WAYS; way++)
        if (bucket_of(cache, key)[way].used < oldest->used)
            oldest = &bucket_of(cache, key)[way];
    struct plan_cache_entry evicted = *oldest;
    *oldest = (struct plan_cache_entry){plan, key->hash, ++cache->clock, data, key->words};
    pthread_mutex_unlock(&cache->lock);
    haly_plan_release(evicted.plan);
    free(evicted.data);
}
