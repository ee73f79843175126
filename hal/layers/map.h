/* SPDX-License-Identifier: Apache-2.0 */
/* A table from addresses (not 0) to pointers. Its user locks. Zero is empty. */
#ifndef HAL_LAYERS_MAP_H
#define HAL_LAYERS_MAP_H

#include <stdbool.h>
#include <stdint.h>

struct map {
    struct map_entry {
        uint64_t key; /* 0: free */
        void *value;
    } * entries;
    uint32_t capacity, count;
};

/* The value of a key, or NULL. */
void *map_get(const struct map *map, uint64_t key);
/* Sets it; false: out of memory, nothing changed. */
bool map_put(struct map *map, uint64_t key, void *value);
/* Takes it out; its value, or NULL. */
void *map_take(struct map *map, uint64_t key);
/* Frees the table; values are the caller's. */
void map_clear(struct map *map);

#endif
