/* SPDX-License-Identifier: Apache-2.0 */
/* The plan itself, for the files that create and run plans. */
#ifndef HAL_PLAN_OBJECT_H
#define HAL_PLAN_OBJECT_H

#include "lowering.h"
#include "plan.h"

/* What a run looks at for each address. */
struct plan_tensor {
    int64_t low;        /* first byte touched, from the address */
    uint64_t bytes;     /* touched; 0: absent or without elements */
    uint32_t alignment; /* of the address */
    uint32_t exact;     /* bits of the addresses that it may equal, layouts being the same */
    bool is_written;
    bool is_absent;
};

struct haly_plan {
    struct object object;
    const struct op *op;
    void *block; /* the backend's, or NULL when lowered */
    haly_plan_info info;
    bool queues_nothing; /* no output has elements */
    int64_t value_limit;
    struct launch_set same;                 /* all host values are equal, or there are none */
    struct launch_set each;                 /* one host value for each sequence; empty when same does for all */
    uint8_t slots[OP_TENSORS];              /* of each address */
    struct plan_tensor tensors[OP_TENSORS]; /* by address */
    haly_tensor descriptions[OP_TENSORS];   /* by address; for overlaps and messages only */
};

/* A plan for a checked description; not listed in its context. */
haly_status plan_make(haly_context *context, struct op_call *call, haly_plan **out_plan);

/* Runs a plan on a stream of its context; the public entries have checked the handles. */
haly_status plan_run(haly_stream *stream, haly_plan *plan, void *const *addresses, const int64_t *values,
                     uint32_t value_count);

#endif
