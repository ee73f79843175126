/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file plan.h
 * Prepared operators: an operator resolved for one context and one set of tensor descriptions.
 *
 * An operator is (domain, name, version). Its meaning is the ONNX operator specification for the domain "", and
 * halyard/ops.h for the domain "halyard". Creating a plan answers "supported, or why not" once; running it only takes
 * addresses. Which path is taken is visible in haly_plan_info: the backend's own implementation, or the portable
 * kernels.
 */
#ifndef HALYARD_PLAN_H
#define HALYARD_PLAN_H

#include <halyard/stream.h>
#include <halyard/tensor.h>

HALY_BEGIN_DECLS

typedef enum haly_attribute_kind {
    HALY_ATTRIBUTE_INT = 1,
    HALY_ATTRIBUTE_FLOAT = 2,
    HALY_ATTRIBUTE_TEXT = 3,
    HALY_ATTRIBUTE_INTS = 4,
    HALY_ATTRIBUTE_KIND_MAX_ENUM = 0x7fffffff
} haly_attribute_kind;

/** A named attribute. Pointers are read before the call that takes it returns. */
typedef struct haly_attribute {
    const char *name; /**< as in the operator's specification */
    haly_attribute_kind kind;
    uint32_t count; /**< of ints */
    union {
        int64_t i;
        double f;
        const char *text;
        const int64_t *ints;
    } value;
} haly_attribute;

static inline haly_attribute haly_attribute_int(const char *name, int64_t value)
{
    haly_attribute attribute = {name, HALY_ATTRIBUTE_INT, 1, {0}};
    attribute.value.i = value;
    return attribute;
}
static inline haly_attribute haly_attribute_float(const char *name, double value)
{
    haly_attribute attribute = {name, HALY_ATTRIBUTE_FLOAT, 1, {0}};
    attribute.value.f = value;
    return attribute;
}
static inline haly_attribute haly_attribute_text(const char *name, const char *value)
{
    haly_attribute attribute = {name, HALY_ATTRIBUTE_TEXT, 1, {0}};
    attribute.value.text = value;
    return attribute;
}
static inline haly_attribute haly_attribute_ints(const char *name, const int64_t *values, uint32_t count)
{
    haly_attribute attribute = {name, HALY_ATTRIBUTE_INTS, count, {0}};
    attribute.value.ints = values;
    return attribute;
}

/** An operator with its tensors. `data` of the tensors is ignored by haly_plan_create() and used by haly_op_run(). */
typedef struct haly_op_desc {
    uint32_t struct_size;      /**< HALY_OP_DESC_INIT */
    uint32_t version;          /**< of the operator in its domain; 0: the newest this library knows */
    const char *domain;        /**< NULL or "": ONNX; "halyard" */
    const char *name;          /**< "MatMul" */
    const haly_tensor *inputs; /**< absent optional ones have dtype HALY_DTYPE_NONE */
    uint32_t input_count;
    uint32_t output_count;
    const haly_tensor *outputs;
    uint32_t tensor_size; /**< sizeof(haly_tensor), or 0 for that */
    uint32_t attribute_count;
    const haly_attribute *attributes;
    uint32_t attribute_size;    /**< sizeof(haly_attribute), or 0 for that */
    uint32_t value_count;       /**< haly_op_run() only: host values, as for haly_plan_run() */
    const int64_t *host_values; /**< haly_op_run() only */
    uint32_t flags;             /**< HALY_OP_… */
    uint32_t reserved;          /**< 0 */
    const haly_ext *ext;
} haly_op_desc;
#define HALY_OP_DESC_INIT HALY_INIT(haly_op_desc, ext)

enum {
    HALY_OP_LOWERED = 1 << 0, /**< use the portable kernels even where the backend has its own implementation */
    HALY_OP_NATIVE = 1 << 1,  /**< refuse to fall back on the portable kernels */
    HALY_OP_FLAGS_MAX_ENUM = 0x7fffffff
};

/* Shorthands for call sites in C: {HALY_OP_DESC_INIT, .name = "Add", HALY_INPUTS(a, b), HALY_OUTPUTS(y)}. */
#define HALY_INPUTS(...)                                                                                               \
    .inputs = (const haly_tensor[]){__VA_ARGS__},                                                                      \
    .input_count = (uint32_t)(sizeof((const haly_tensor[]){__VA_ARGS__}) / sizeof(haly_tensor))
#define HALY_OUTPUTS(...)                                                                                              \
    .outputs = (const haly_tensor[]){__VA_ARGS__},                                                                     \
    .output_count = (uint32_t)(sizeof((const haly_tensor[]){__VA_ARGS__}) / sizeof(haly_tensor))
#define HALY_ATTRIBUTES(...)                                                                                           \
    .attributes = (const haly_attribute[]){__VA_ARGS__},                                                               \
    .attribute_count = (uint32_t)(sizeof((const haly_attribute[]){__VA_ARGS__}) / sizeof(haly_attribute))

/** What a plan will do, or would. */
typedef struct haly_plan_info {
    uint32_t struct_size;     /**< HALY_PLAN_INFO_INIT */
    uint32_t lowered;         /**< 1: runs the portable kernels; 0: the backend's own implementation */
    uint64_t workspace_bytes; /**< taken from the stream's allocator while it runs */
    uint32_t command_count;   /**< commands one run queues */
    uint32_t address_count;   /**< what haly_plan_run() expects: inputs, then outputs */
    uint32_t value_count;     /**< host values it expects */
    uint32_t version;         /**< of the operator, resolved */
    char path[96];            /**< "cpu/quantized_matmul avx512", "kernels/softmax_f32" … */
} haly_plan_info;
#define HALY_PLAN_INFO_INIT HALY_INIT(haly_plan_info, path)

/** One operator that the library knows. */
typedef struct haly_operator_info {
    uint32_t struct_size; /**< HALY_OPERATOR_INFO_INIT */
    uint32_t version;
    const char *domain;
    const char *name;
    uint32_t min_inputs, max_inputs, min_outputs, max_outputs;
    uint64_t dtypes;     /**< bit 1 << haly_dtype of the first input */
    const char *meaning; /**< one line */
} haly_operator_info;
#define HALY_OPERATOR_INFO_INIT HALY_INIT(haly_operator_info, meaning)

/**
 * Resolves an operator.                                                                                   [PLAN-001]
 * @return HALY_OK; HALY_ERR_UNSUPPORTED (names which dtype, operator, layout or shape, and on which device);
 *         HALY_ERR_INVALID (shapes or attributes contradict the operator's meaning: names the tensor, what was found
 * and what was expected); HALY_ERR_NOT_FOUND (no such operator: names the nearest); HALY_ERR_CAPTURING;
 *         HALY_ERR_HOST_OOM. A dtype is never converted silently. May compile or tune. Any thread. Since 1.0.
 */
HALY_API haly_status haly_plan_create(haly_context *context, const haly_op_desc *desc, haly_plan **out_plan);

/** Adds a reference. NULL is fine. Since 1.0. */
HALY_API void haly_plan_retain(haly_plan *plan);

/** Gives a reference back; runs already queued are kept. NULL is fine. Since 1.0. */
HALY_API void haly_plan_release(haly_plan *plan);

/** Since 1.0. */
HALY_API haly_status haly_plan_info_get(haly_plan *plan, haly_plan_info *out_info);

/**
 * Queues the operator.                                                                                    [PLAN-002]
 * Checked before anything is queued: every address, its range, alignment to the element size, and overlaps that the
 * operator does not allow.                                                                                [PLAN-003]
 * An address is one of this context's device memory or of pinned memory; in an ordinary context with native addresses
 * also one that Halyard does not know, which on a processor is any of the program's: HALYARD_CPU_STRICT=1 shows there
 * what other devices would refuse.
 * @param addresses inputs, then outputs, NULL for absent ones; address_count as in haly_plan_info.
 * @param values host values, or NULL when the plan expects none.
 * @return HALY_OK; HALY_ERR_INVALID (nothing is queued); HALY_ERR_DEVICE_OOM (workspace). Since 1.0.
 */
HALY_API haly_status haly_plan_run(haly_stream *stream, haly_plan *plan, void *const *addresses, uint32_t address_count,
                                   const int64_t *values, uint32_t value_count);

/** Runs an operator by its description: the plan comes from a bounded cache of the context. Inside a capture a plan
 * that is not in the cache is HALY_ERR_CAPTURING. Errors as haly_plan_create and haly_plan_run. [PLAN-004] Since 1.0.
 */
HALY_API haly_status haly_op_run(haly_stream *stream, const haly_op_desc *desc);

/** Whether haly_plan_create() would succeed, and how it would run; out_info may be NULL. Errors as there. Since 1.0. */
HALY_API haly_status haly_op_supported(haly_context *context, const haly_op_desc *desc, haly_plan_info *out_info);

/** Number of operators the library knows. Since 1.0. */
HALY_API uint32_t haly_operator_count(void);

/** The index-th of them. Texts are static. @return HALY_OK; HALY_ERR_INVALID. Since 1.0. */
HALY_API haly_status haly_operator_get(uint32_t index, haly_operator_info *out_info);

HALY_END_DECLS

#endif
