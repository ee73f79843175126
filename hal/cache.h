/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Results of compiling, kept on disk from one process to the next. Each is a file of its own, named by the hash of its
 * key, written beside its place and then renamed: writers at the same time cannot mix, and a reader sees a whole file
 * or none. Only files that this user alone could have written are believed, and only while their content has the hash
 * that they name.
 */
#ifndef HAL_CACHE_H
#define HAL_CACHE_H

#include <stdbool.h>

#include <halyard/backend.h>

#define CACHE_DIR_GRAMMAR "an absolute folder, or off"
#define CACHE_BYTES_MAX ((uint64_t)1 << 30)

bool cache_dir_check(const char *value, char *why, size_t why_size);

/* As the entries of haly_core_table. The folder is the one of the instance that the calling thread works for. */
haly_status cache_get(const char *backend, const haly_cache_part *parts, uint32_t count, void **out_data,
                      uint64_t *out_size);
void cache_put(const char *backend, const haly_cache_part *parts, uint32_t count, const void *data, uint64_t size);
void cache_free(void *data);

#endif
