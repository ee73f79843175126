/* SPDX-License-Identifier: Apache-2.0 */
/* See kernels_test.h. */
#include "kernels_test.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define GUARD 64 /* bytes on each side */

uint64_t rng_next(struct rng *rng)
{
    uint64_t z = rng->state += 0x9e3779b97f4a7c15ULL;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ULL;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebULL;
    return z ^ (z >> 31);
}

uint32_t rng_below(struct rng *rng, uint32_t limit)
{
    return (uint32_t)(rng_next(rng) % limit);
}

double rng_real(struct rng *rng, double low, double high)
{
    return low + (high - low) * (double)(rng_next(rng) >> 11) / 9007199254740992.0;
}

/* ---- floating point formats, by arithmetic ---- */
struct format {
    int digits, minimum_exponent; /* stored mantissa bits; exponent of the smallest normal number */
    double largest;
};

static struct format format_of(uint32_t dtype)
{
    if (dtype == HALY_KERNEL_F16)
        return (struct format){10, -14, 65504.0};
    if (dtype == HALY_KERNEL_BF16)
        return (struct format){7, -126, 3.3895313892515355e38};
    return (struct format){23, -126, 3.4028234663852886e38};
}

double dtype_ulp(uint32_t dtype, double value)
{
    const struct format format = format_of(dtype);
    int exponent;
    if (value == 0 || !isfinite(value))
        return ldexp(1, format.minimum_exponent - format.digits);
    frexp(value, &exponent);
    exponent = exponent - 1 < format.minimum_exponent ? format.minimum_exponent : exponent - 1;
    return ldexp(1, exponent - format.digits);
}

double dtype_round(uint32_t dtype, double value)
{
    if (!isfinite(value))
        return value;
    const double ulp = dtype_ulp(dtype, value);
    const double rounded = nearbyint(value / ulp) * ulp;
    return fabs(rounded) > format_of(dtype).largest ? copysign((double)INFINITY, value) : copysign(rounded, value);
}

static double half_decode(uint16_t bits, int digits, int exponents)
{
    const int mantissa = bits & ((1 << digits) - 1), exponent = (bits >> digits) & ((1 << exponents) - 1);
    const int bias = (1 << (exponents - 1)) - 1;
    const double sign = bits >> 15 ? -1.0 : 1.0;
    if (exponent == (1 << exponents) - 1)
        return mantissa ? (double)NAN : sign * (double)INFINITY;
    if (exponent == 0)
        return sign * ldexp(mantissa, 1 - bias - digits);
    return sign * ldexp(mantissa + (1 << digits), exponent - bias - digits);
}

static uint16_t half_encode(uint32_t dtype, double value)
{
    const struct format format = format_of(dtype);
    const uint16_t sign = signbit(value) ? 0x8000 : 0;
    const uint16_t infinity = dtype == HALY_KERNEL_F16 ? 0x7c00 : 0x7f80;
    if (isnan(value))
        return (uint16_t)(infinity | 1 << (format.digits - 1));
    value = fabs(dtype_round(dtype, value));
    if (isinf(value))
        return sign | infinity;
    const double ulp = dtype_ulp(dtype, value);
    const int steps = (int)(value / ulp); /* mantissa with its hidden bit, if any */
    int exponent;
    frexp(ulp, &exponent);
    const int field = steps < (1 << format.digits) ? 0 : exponent - 1 + format.digits - format.minimum_exponent + 1;
    return (uint16_t)(sign | field << format.digits | (steps & ((1 << format.digits) - 1)));
}

/* ---- arrays ---- */
static size_t size_of(uint32_t dtype)
{
    switch (dtype) {
    case HALY_KERNEL_F32:
    case HALY_KERNEL_I32:
        return 4;
    case HALY_KERNEL_I64:
        return 8;
    case HALY_KERNEL_F16:
    case HALY_KERNEL_BF16:
        return 2;
    default:
        return 1;
    }
}

struct array array_new(uint32_t dtype, size_t count)
{
    struct array array = {.dtype = dtype, .count = count, .size = size_of(dtype)};
    array.memory = malloc(count * array.size + 2 * GUARD);
    assert_non_null(array.memory);
    memset(array.memory, 0xa5, count * array.size + 2 * GUARD);
    array.data = array.memory + GUARD;
    return array;
}

void array_free(struct array *array)
{
    for (size_t i = 0; i < GUARD; i++) {
        assert_int_equal(array->memory[i], 0xa5);
        assert_int_equal(array->data[array->count * array->size + i], 0xa5);
    }
    free(array->memory);
    array->memory = array->data = NULL;
}

void array_poison(struct array *array)
{
    memset(array->data, 0xa5, array->count * array->size);
}

double array_get(const struct array *array, size_t index)
{
    const unsigned char *at = array->data + index * array->size;
    float f;
    int32_t i;
    int64_t l;
    uint16_t h;
    switch (array->dtype) {
    case HALY_KERNEL_F32:
        memcpy(&f, at, sizeof f);
        return (double)f;
    case HALY_KERNEL_F16:
    case HALY_KERNEL_BF16:
        memcpy(&h, at, sizeof h);
        return array->dtype == HALY_KERNEL_F16 ? half_decode(h, 10, 5) : half_decode(h, 7, 8);
    case HALY_KERNEL_I32:
        memcpy(&i, at, sizeof i);
        return (double)i;
    case HALY_KERNEL_I64:
        memcpy(&l, at, sizeof l);
        return (double)l;
    default:
        return (double)*at;
    }
}

void array_set(struct array *array, size_t index, double value)
{
    unsigned char *at = array->data + index * array->size;
    const float f = (float)value;
    int32_t i;
    int64_t l;
    uint16_t h;
    switch (array->dtype) {
    case HALY_KERNEL_F32:
        memcpy(at, &f, sizeof f);
        break;
    case HALY_KERNEL_F16:
    case HALY_KERNEL_BF16:
        h = half_encode(array->dtype, value);
        memcpy(at, &h, sizeof h);
        break;
    case HALY_KERNEL_I32:
        i = (int32_t)value;
        memcpy(at, &i, sizeof i);
        break;
    case HALY_KERNEL_I64:
        l = (int64_t)value;
        memcpy(at, &l, sizeof l);
        break;
    default:
        *at = (unsigned char)value;
    }
}

void array_random(struct array *array, struct rng *rng, double low, double high)
{
    for (size_t i = 0; i < array->count; i++)
        array_set(array, i, rng_real(rng, low, high));
}

/* ---- kernels ---- */
/* The builds of the cpu backend, by the suffixes that it gives them. */
#define KERNEL(name) extern const struct haly_kernel_meta haly_kernel_meta_##name##_baseline;
#include "kernels.def"
#undef KERNEL
static const struct haly_kernel_meta *const baseline_kernels[] = {
#define KERNEL(name) &haly_kernel_meta_##name##_baseline,
#include "kernels.def"
#undef KERNEL
};
#if defined(__x86_64__)
#define KERNEL(name)                                                                                                   \
    extern const struct haly_kernel_meta haly_kernel_meta_##name##_avx2, haly_kernel_meta_##name##_avx512;
#include "kernels.def"
#undef KERNEL
static const struct haly_kernel_meta *const avx2_kernels[] = {
#define KERNEL(name) &haly_kernel_meta_##name##_avx2,
#include "kernels.def"
#undef KERNEL
};
static const struct haly_kernel_meta *const avx512_kernels[] = {
#define KERNEL(name) &haly_kernel_meta_##name##_avx512,
#include "kernels.def"
#undef KERNEL
};
#endif

static const struct haly_kernel_meta *const *kernels = baseline_kernels;
static const size_t kernel_count = sizeof baseline_kernels / sizeof *baseline_kernels;

static int run_variant(const char *group, const char *variant, const struct haly_kernel_meta *const *table,
                       const struct CMUnitTest *tests, size_t count)
{
    char name[64];
    snprintf(name, sizeof name, "%s, %s", group, variant);
    kernels = table;
    return _cmocka_run_group_tests(name, tests, count, NULL, NULL);
}

int kernels_test_main(const char *group, const struct CMUnitTest *tests, size_t count)
{
    int failed = run_variant(group, "baseline", baseline_kernels, tests, count);
#if defined(__x86_64__)
    if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma"))
        failed += run_variant(group, "avx2", avx2_kernels, tests, count);
    if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512cd") &&
        __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl"))
        failed += run_variant(group, "avx512", avx512_kernels, tests, count);
#endif
    return failed;
}

const char *dtype_suffix(uint32_t dtype)
{
    return dtype == HALY_KERNEL_F32    ? "f32"
           : dtype == HALY_KERNEL_F16  ? "f16"
           : dtype == HALY_KERNEL_BF16 ? "bf16"
           : dtype == HALY_KERNEL_Q4_0 ? "q4_0"
           : dtype == HALY_KERNEL_Q4_1 ? "q4_1"
                                       : "q8_0";
}

const struct haly_kernel_meta *kernel_find(const char *base, uint32_t dtype)
{
    char name[64];
    snprintf(name, sizeof name, dtype == HALY_KERNEL_NONE ? "%s" : "%s_%s", base, dtype_suffix(dtype));
    for (size_t i = 0; i < kernel_count; i++)
        if (strcmp(kernels[i]->name, name) == 0)
            return kernels[i];
    fail_msg("no kernel %s", name);
    return NULL;
}

void kernel_run(const struct haly_kernel_meta *meta, uint32_t gx, uint32_t gy, uint32_t gz, const void *arguments,
                size_t size, uint64_t scramble)
{
    assert_int_equal(meta->argument_bytes, size);
    const uint32_t count = gx * gy * gz;
    uint32_t *order = malloc((count + 1) * sizeof *order);
    assert_non_null(order);
    struct rng rng = {scramble};
    for (uint32_t i = 0; i < count; i++)
        order[i] = scramble == 1 ? count - 1 - i : i;
    for (uint32_t i = count; scramble > 1 && i > 1; i--) {
        const uint32_t j = rng_below(&rng, i), swap = order[i - 1];
        order[i - 1] = order[j];
        order[j] = swap;
    }
    for (uint32_t i = 0; i < count; i++) {
        const struct haly_group group = {.group = {order[i] % gx, order[i] / gx % gy, order[i] / gx / gy},
                                         .groups = {gx, gy, gz},
                                         .size = {meta->group_size[0], meta->group_size[1], meta->group_size[2]}};
        meta->entry(&group, arguments);
    }
    free(order);
}

void kernel_run_orders(const struct haly_kernel_meta *meta, uint32_t gx, uint32_t gy, uint32_t gz,
                       const void *arguments, size_t size, struct array *output)
{
    const size_t bytes = output->count * output->size;
    unsigned char *first = malloc(bytes + 1);
    assert_non_null(first);
    array_poison(output);
    kernel_run(meta, gx, gy, gz, arguments, size, 0);
    memcpy(first, output->data, bytes);
    for (uint64_t scramble = 1; scramble <= 2; scramble++) {
        array_poison(output);
        kernel_run(meta, gx, gy, gz, arguments, size, scramble);
        assert_memory_equal(first, output->data, bytes);
    }
    free(first);
}

void assert_close(const struct array *array, size_t index, double want, double error)
{
    const double got = array_get(array, index);
    const double limit = error + dtype_ulp(array->dtype, want) * 0.5001;
    if (isnan(want) ? isnan(got) : isinf(want) ? got == want : fabs(got - want) <= limit)
        return;
    if (isinf(got) && isinf(dtype_round(array->dtype, fabs(want) + error)) && !signbit(got) == !signbit(want))
        return;
    fail_msg("%s[%zu] is %.9g, expected %.9g within %.3g", dtype_suffix(array->dtype), index, got, want, limit);
}

/* ---- layouts ---- */
size_t random_layout(struct rng *rng, uint32_t rank, const uint64_t *dims, int may_broadcast, int64_t *strides,
                     size_t *out_first)
{
    uint32_t order[HALY_KERNEL_MAX_RANK];
    int64_t stride = 1, first = 0;
    for (uint32_t i = 0; i < rank; i++)
        order[i] = i;
    for (uint32_t i = rank; i > 1; i--) {
        const uint32_t j = rng_below(rng, 2) ? i - 1 : rng_below(rng, i), swap = order[i - 1];
        order[i - 1] = order[j];
        order[j] = swap;
    }
    for (uint32_t i = rank; i-- > 0;) {
        const uint32_t d = order[i];
        const int64_t extent = dims[d] > 0 ? (int64_t)dims[d] : 1;
        const int is_broadcast = may_broadcast && rng_below(rng, 5) == 0;
        const int is_reversed = !is_broadcast && rng_below(rng, 6) == 0;
        strides[d] = is_broadcast ? 0 : is_reversed ? -stride : stride;
        first += is_reversed ? stride * (extent - 1) : 0;
        stride *= is_broadcast ? 1 : extent;
        stride += rng_below(rng, 4) == 0 ? (int64_t)rng_below(rng, 3) : 0;
    }
    *out_first = (size_t)first;
    return (size_t)stride;
}

int64_t layout_offset(uint32_t rank, const uint64_t *dims, const int64_t *strides, uint64_t index)
{
    int64_t offset = 0;
    for (uint32_t d = rank; d-- > 0;) {
        offset += (int64_t)(index % dims[d]) * strides[d];
        index /= dims[d];
    }
    return offset;
}
