/* SPDX-License-Identifier: Apache-2.0 */
/* SHA-256 (FIPS 180-4): names contents in bundles and in the cache. */
#ifndef HAL_SHA256_H
#define HAL_SHA256_H

#include <stddef.h>
#include <stdint.h>

#define SHA256_BYTES 32U
#define SHA256_BLOCK_BYTES 64U

struct sha256 {
    uint32_t state[8];
    uint64_t bytes; /* taken in so far */
    unsigned char block[SHA256_BLOCK_BYTES];
};

void sha256_start(struct sha256 *hash);
void sha256_add(struct sha256 *hash, const void *data, size_t bytes);
void sha256_end(struct sha256 *hash, unsigned char out_digest[SHA256_BYTES]);

/* All at once. */
void sha256_of(const void *data, size_t bytes, unsigned char out_digest[SHA256_BYTES]);

#endif
