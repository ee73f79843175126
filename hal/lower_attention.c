/* SPDX-License-Identifier: Apache-2.0 */
/* Rotary embedding, and attention over a cache: a launch that stores keys and values, and one that attends. */
#include <stdio.h>

#include "attribute.h"
#include "lower.h"
#include "lowering.h"

/* 2^64 / (2 pi), rounded down: one radian as a 64-bit fraction of a turn. */
#define RADIAN_IN_TURNS UINT64_C(2935890503282001226)

/* Natural logarithm of x >= 1, to the last bits of long double. Here, not in libm: the core needs libc alone. */
static long double logarithm(long double x)
{
    const long double ln2 = 0.693147180559945309417232121458176568L;
    long double halvings = 0, sum = 0;
    while (x > 1.5L) {
        x /= 2;
        halvings += 1;
    }
    const long double z = (x - 1) / (x + 1), square = z * z;
    long double power = z;
    for (int odd = 1; odd < 61; odd += 2) {
        sum += power / odd;
        power *= square;
    }
    return 2 * sum + halvings * ln2;
}

/* e^-x for x >= 0. */
static long double decay(long double x)
{
    long double term = 1, sum = 1;
    int halvings = 0;
    while (x > 0.5L) {
        x /= 2;
        halvings++;
    }
    for (int i = 1; i < 24; i++) {
        term *= -x / i;
        sum += term;
    }
    for (; halvings > 0; halvings--)
        sum *= sum;
    return sum;
}

/* base^(-2 / rotary_dim) as a 64-bit fraction, 0 standing for 1, as the kernel wants it. */
static uint64_t frequency_ratio(double base, int64_t rotary_dim)
{
    const long double ratio = decay(logarithm((long double)base) * 2 / (long double)rotary_dim);
    const long double scaled = ratio * 18446744073709551616.0L;
    return scaled >= 18446744073709551615.0L ? 0 : (uint64_t)scaled;
}

static void four_strides(int64_t strides[4], const haly_tensor *tensor, const uint32_t order[4])
{
    for (uint32_t i = 0; i < 4; i++)
        strides[i] = lowering_stride(tensor, order[i]);
}

haly_status lower_rotary(struct lowering *lowering)
{
    static const uint32_t straight[4] = {0, 1, 2, 3};
    const struct op_call *call = lowering->call;
    const haly_tensor *x = &call->inputs[0], *positions = &call->inputs[1], *y = &call->outputs[0];
    const int64_t given = attribute_int(call, "rotary_dim", 0), turned = given == 0 ? x->shape[3] : given;
    struct launch launch = {.grid = {(uint64_t)x->shape[1], (uint64_t)x->shape[0], 1},
                            .address_count = 5,
                            .slots = {0, 1, NO_SLOT, NO_SLOT, OP_OUTPUT(0)}};
    if (tensor_elements(y) == 0)
        return HALY_OK;
    if (x->shape[2] > UINT32_MAX || x->shape[3] > UINT32_MAX)
        return FAIL_TENSOR(call, HALY_ERR_UNSUPPORTED, 0, "has heads or elements beyond 32 bits");
    struct haly_rotary argument = {
        .heads = (uint32_t)x->shape[2],
        .head_size = (uint32_t)x->shape[3],
        .rotary_dim = (uint32_t)turned,
        .interleaved = attribute_int(call, "interleaved", 1) != 0,
        .position_dtype = (uint32_t)positions->dtype,
        .position_strides = {lowering_stride(positions, 0), lowering_stride(positions, 1)},
        .frequency_first = RADIAN_IN_TURNS,
        .frequency_ratio = turned > 0 ? frequency_ratio(attribute_float(call, "base", 10000), turned) : 0,
    };
    four_strides(argument.x_strides, x, straight);
    four_strides(argument.y_strides, y, straight);
    snprintf(launch.kernel, sizeof launch.kernel, "rotary_%s", haly_dtype_name(x->dtype));
    launch.argument = &argument;
    launch.argument_bytes = sizeof argument;
    return lowering_add(lowering, &launch);
}

/* [B, S, H, D] as the kernels walk it: batch, head, sequence, element. */
static const uint32_t heads_first[4] = {0, 2, 1, 3};
static const uint32_t cache_order[4] = {0, 1, 2, 3};

/* Sequences `batch` and on, `count` of them, with the host value of the first. */
static haly_status add_store(struct lowering *lowering, uint32_t batch, uint64_t count)
{
    const struct op_call *call = lowering->call;
    const haly_tensor *k = &call->inputs[1], *v = &call->inputs[2];
    const haly_tensor *k_cache = &call->inputs[3], *v_cache = &call->inputs[4];
    struct haly_kv_write argument = {.head_size = (uint32_t)k->shape[3],
                                     .value_size = (uint32_t)v->shape[3],
                                     .capacity = (uint64_t)k_cache->shape[2]};
    struct launch launch = {
        .grid = {(uint64_t)k->shape[1], (uint64_t)k->shape[2], count},
        .address_count = 5,
        .slots = {1, 2, NO_SLOT, 3, 4},
        .elements = {batch * lowering_stride(k, 0), batch * lowering_stride(v, 0), 0,
                     batch * lowering_stride(k_cache, 0), batch * lowering_stride(v_cache, 0)},
        .argument = &argument,
        .argument_bytes = sizeof argument,
        .value_count = 1,
        .values = {{(uint32_t)offsetof(struct haly_kv_write, past_first), batch, 0}},
    };
    four_strides(argument.k_strides, k, heads_first);
    four_strides(argument.v_strides, v, heads_first);
    four_strides(argument.k_cache_strides, k_cache, cache_order);
    four_strides(argument.v_cache_strides, v_cache, cache_order);
    snprintf(launch.kernel, sizeof launch.kernel, "kv_cache_write_%s", haly_dtype_name(k->dtype));
    return lowering_add(lowering, &launch);
}

/* 1/sqrt(D) by Newton's method, for the same reason as above. */
static double default_scale(int64_t head_size)
{
    const double n = (double)(head_size > 0 ? head_size : 1);
    double root = n;
    for (int i = 0; i < 64; i++)
        root = (root + n / root) / 2;
    return 1 / root;
}

static haly_status add_attention(struct lowering *lowering, uint32_t batch, uint64_t count)
{
    const struct op_call *call = lowering->call;
    const haly_tensor *q = &call->inputs[0], *y = &call->outputs[0];
    const haly_tensor *k_cache = &call->inputs[3], *v_cache = &call->inputs[4];
    const double scale = attribute_float(call, "scale", 0);
    const int64_t length = q->shape[1];
    struct haly_attention argument = {
        .q_length = (uint32_t)length,
        .q_heads = (uint32_t)q->shape[2],
        .kv_heads = (uint32_t)k_cache->shape[1],
        .head_size = (uint32_t)q->shape[3],
        .value_size = (uint32_t)q->shape[3],
        .causal = attribute_int(call, "causal", 1) != 0,
        .scale = (float)(scale == 0 ? default_scale(q->shape[3]) : scale),
    };
    struct launch launch = {
        .grid = {(uint64_t)length, (uint64_t)q->shape[2], count},
        .address_count = 6,
        .slots = {0, 3, 4, NO_SLOT, NO_SLOT, OP_OUTPUT(0)},
        .elements = {batch * lowering_stride(q, 0), batch * lowering_stride(k_cache, 0),
                     batch * lowering_stride(v_cache, 0), 0, 0, batch * lowering_stride(y, 0)},
        .argument = &argument,
        .argument_bytes = sizeof argument,
        .value_count = 2,
        .values = {{(uint32_t)offsetof(struct haly_attention, kv_length), batch, length},
                   {(uint32_t)offsetof(struct haly_attention, causal_offset), batch, 0}},
    };
    four_strides(argument.q_strides, q, heads_first);
    four_strides(argument.k_strides, k_cache, cache_order);
    four_strides(argument.v_strides, v_cache, cache_order);
    four_strides(argument.y_strides, y, heads_first);
    snprintf(launch.kernel, sizeof launch.kernel, "attention_%s", haly_dtype_name(q->dtype));
    return lowering_add(lowering, &launch);
}

static haly_status check_limits(const struct op_call *call)
{
    const haly_tensor *q = &call->inputs[0], *k_cache = &call->inputs[3];
    if (k_cache->dtype != q->dtype)
        return FAIL_TENSOR(call, HALY_ERR_UNSUPPORTED, 3, "is %s; the portable kernel needs %s, the type of q",
                           haly_dtype_name(k_cache->dtype), haly_dtype_name(q->dtype));
    if (q->shape[3] > HALY_ATTENTION_MAX_HEAD)
        return FAIL_TENSOR(call, HALY_ERR_UNSUPPORTED, 0,
                           "has %lld elements a head; the portable kernel has at most %u", (long long)q->shape[3],
                           HALY_ATTENTION_MAX_HEAD);
    if (q->shape[1] > UINT32_MAX || q->shape[2] > UINT32_MAX)
        return FAIL_TENSOR(call, HALY_ERR_UNSUPPORTED, 0, "has more rows or heads than 32 bits count");
    return HALY_OK;
}

haly_status lower_cached_attention(struct lowering *lowering)
{
    const struct op_call *call = lowering->call;
    const uint64_t batches = (uint64_t)call->inputs[0].shape[0];
    TRY(check_limits(call));
    const uint64_t step = lowering->value_for_each ? 1 : batches;
    for (uint64_t batch = 0; batch < batches; batch += step) {
        if (tensor_elements(&call->inputs[1]) > 0)
            TRY(add_store(lowering, (uint32_t)batch, step));
        if (tensor_elements(&call->outputs[0]) > 0)
            TRY(add_attention(lowering, (uint32_t)batch, step));
    }
    return HALY_OK;
}
