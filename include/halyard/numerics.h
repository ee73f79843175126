/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file numerics.h
 * The numerics contract: how far any backend's result may be from the exact one, per operator and type.
 *
 * A result `got` is within the contract when |got - want| <= absolute + relative * scale, with `want` computed in
 * double precision from the stored inputs and rounded to the output's type; `scale` is |want|, or for sums of products
 * the sum of the absolute values of the products. [NUM-001]
 */
#ifndef HALYARD_NUMERICS_H
#define HALYARD_NUMERICS_H

#include <halyard/error.h>
#include <halyard/dtype.h>

HALY_BEGIN_DECLS

typedef enum haly_numerics_scale {
    HALY_SCALE_VALUE = 0,     /**< scale is |want| */
    HALY_SCALE_MAGNITUDE = 1, /**< scale is the sum of absolute values of what was added up */
    HALY_NUMERICS_SCALE_MAX_ENUM = 0x7fffffff
} haly_numerics_scale;

typedef struct haly_numerics {
    uint32_t struct_size;  /**< HALY_NUMERICS_INIT */
    haly_dtype accumulate; /**< type sums are kept in, at least */
    double absolute;
    double relative;
    haly_numerics_scale scale;
    uint32_t exact;   /**< 1: bit for bit the same on every backend */
    const char *note; /**< where the figures come from; static */
} haly_numerics;
#define HALY_NUMERICS_INIT HALY_INIT(haly_numerics, note)

/** The contract's row for an operator and the type of its output. @param domain NULL or "": ONNX.
 *  @return HALY_OK; HALY_ERR_NOT_FOUND (operator, or type for it). Any thread. Since 1.0. */
HALY_API haly_status haly_numerics_get(const char *domain, const char *name, haly_dtype dtype,
                                       haly_numerics *out_numerics);

HALY_END_DECLS

#endif
