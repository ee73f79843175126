/* SPDX-License-Identifier: Apache-2.0 */
/* A hash for tables inside the process: quick, not against malice; whoever uses it compares the whole key as well. */
#ifndef HAL_HASH_H
#define HAL_HASH_H

#include <stdint.h>

static inline uint64_t hash_words(const uint64_t *words, uint32_t count)
{
    uint64_t hash = UINT64_C(0x9e3779b97f4a7c15) ^ count;
    for (uint32_t i = 0; i < count; i++) {
        hash = (hash ^ words[i]) * UINT64_C(0xff51afd7ed558ccd);
        hash ^= hash >> 29;
    }
    return hash * UINT64_C(0xc4ceb9fe1a85ec53);
}

static inline uint64_t hash_text(const char *text)
{
    uint64_t hash = UINT64_C(0xcbf29ce484222325);
    for (; *text != '\0'; text++)
        hash = (hash ^ (unsigned char)*text) * UINT64_C(0x100000001b3);
    return hash;
}

#endif
