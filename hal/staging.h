/* SPDX-License-Identifier: Apache-2.0 */
/* Copies between pageable host memory and a device that cannot read it: through two pinned chunks, one filled while the
 * other is on its way. */
#ifndef HAL_STAGING_H
#define HAL_STAGING_H

#include "stream.h"

/* Belongs to one thread; zero before the first use. */
struct staging {
    void *block;               /* a stream of the backend's for the chunks; NULL until needed */
    struct timeline *timeline; /* of that stream */
    void *chunks[2];           /* pinned */
    uint64_t sequences[2];     /* last command that uses each */
};

/* Runs a COPY or COPY_2D record (public form) to its end. Blocks. */
haly_status staging_copy(struct staging *staging, haly_context *context, const haly_command *record);

void staging_end(struct staging *staging, haly_context *context);

#endif
