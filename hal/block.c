/* SPDX-License-Identifier: Apache-2.0 */
/* Private blocks. */
#include "block.h"

#include <stdlib.h>
#include <string.h>

void *block_create(uint32_t size)
{
    const size_t bytes = ((size_t)size + 64) & ~(size_t)63;
    void *block = aligned_alloc(64, bytes);
    if (block != NULL)
        memset(block, 0, bytes);
    return block;
}

void block_destroy(void *block)
{
    free(block);
}
