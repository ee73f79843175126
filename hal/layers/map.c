/* SPDX-License-Identifier: Apache-2.0 */
/* Open addressing in steps of one; what is taken out closes the gap. */
#include "layers/map.h"

#include <stdlib.h>

#include "hash.h"

#define LEAST 64U

static uint32_t home_of(const struct map *map, uint64_t key)
{
    return (uint32_t)(hash_words(&key, 1) >> 32) & (map->capacity - 1);
}

/* Where the key is, or would go. The table is never full. */
static struct map_entry *find(const struct map *map, uint64_t key)
{
    uint32_t at = home_of(map, key);
    while (map->entries[at].key != 0 && map->entries[at].key != key)
        at = (at + 1) & (map->capacity - 1);
    return &map->entries[at];
}

void *map_get(const struct map *map, uint64_t key)
{
    return map->capacity != 0 ? find(map, key)->value : NULL;
}

static bool grow(struct map *map)
{
    const struct map old = *map;
    struct map larger = {.capacity = old.capacity != 0 ? 2 * old.capacity : LEAST, .count = old.count};
    larger.entries = calloc(larger.capacity, sizeof *larger.entries);
    if (larger.entries == NULL)
        return false;
    for (uint32_t i = 0; i < old.capacity; i++)
        if (old.entries[i].key != 0)
            *find(&larger, old.entries[i].key) = old.entries[i];
    free(old.entries);
    *map = larger;
    return true;
}

bool map_put(struct map *map, uint64_t key, void *value)
{
    if (2 * (map->count + 1) > map->capacity && !grow(map))
        return false;
    struct map_entry *entry = find(map, key);
    map->count += entry->key == 0;
    *entry = (struct map_entry){key, value};
    return true;
}

void *map_take(struct map *map, uint64_t key)
{
    struct map_entry *entry = map->capacity != 0 ? find(map, key) : NULL;
    if (entry == NULL || entry->key == 0)
        return NULL;
    void *value = entry->value;
    const uint32_t mask = map->capacity - 1;
    uint32_t gap = (uint32_t)(entry - map->entries);
    for (uint32_t at = (gap + 1) & mask; map->entries[at].key != 0; at = (at + 1) & mask) {
        const uint32_t home = home_of(map, map->entries[at].key);
        if (((at - home) & mask) < ((at - gap) & mask))
            continue; /* its home lies behind the gap */
        map->entries[gap] = map->entries[at];
        gap = at;
    }
    map->entries[gap] = (struct map_entry){0, NULL};
    map->count--;
    return value;
}

void map_clear(struct map *map)
{
    free(map->entries);
    *map = (struct map){0};
}
