/* SPDX-License-Identifier: Apache-2.0 */
/* Rounding to, and reading of, every element type. Independent of the library's own conversions on purpose. */
#include <math.h>
#include <string.h>

#include "cts_tensor.h"

const haly_dtype cts_float_types[3] = {HALY_F32, HALY_F16, HALY_BF16};

/* A binary format: bits of the fraction, and the exponents of the smallest and the largest normal number. */
struct format {
    int fraction_bits, min_exponent, max_exponent, exponent_bits;
};

static const struct format half = {10, -14, 15, 5};
static const struct format brain = {7, -126, 127, 8};

static double round_to(const struct format *format, double value)
{
    int exponent = 0;
    if (!isfinite(value) || value == 0)
        return value;
    (void)frexp(value, &exponent);
    exponent = exponent - 1 < format->min_exponent ? format->min_exponent : exponent - 1;
    const double unit = ldexp(1.0, exponent - format->fraction_bits);
    const double rounded = nearbyint(value / unit) * unit;
    const double largest = ldexp(2.0 - ldexp(1.0, -format->fraction_bits), format->max_exponent);
    return fabs(rounded) > largest ? copysign((double)INFINITY, value) : rounded;
}

static uint16_t encode_bits(const struct format *format, double value)
{
    const double v = round_to(format, value);
    const unsigned sign = signbit(v) ? 0x8000U : 0U;
    const unsigned infinity = ((1U << format->exponent_bits) - 1U) << format->fraction_bits;
    int exponent = 0;
    if (isnan(v))
        return (uint16_t)(sign | infinity | 1U << (format->fraction_bits - 1));
    if (isinf(v))
        return (uint16_t)(sign | infinity);
    if (v == 0)
        return (uint16_t)sign;
    (void)frexp(v, &exponent);
    exponent--;
    if (exponent < format->min_exponent) /* subnormal: the fraction alone */
        return (uint16_t)(sign | (unsigned)ldexp(fabs(v), format->fraction_bits - format->min_exponent));
    const unsigned fraction = (unsigned)ldexp(fabs(v), format->fraction_bits - exponent);
    return (uint16_t)(sign | (unsigned)(exponent - format->min_exponent + 1) << format->fraction_bits |
                      (fraction & ((1U << format->fraction_bits) - 1U)));
}

static double decode_bits(const struct format *format, unsigned bits)
{
    const unsigned exponent_mask = (1U << format->exponent_bits) - 1U;
    const unsigned exponent = (bits >> format->fraction_bits) & exponent_mask;
    const unsigned fraction = bits & ((1U << format->fraction_bits) - 1U);
    double value;
    if (exponent == exponent_mask)
        value = fraction != 0 ? (double)NAN : (double)INFINITY;
    else if (exponent == 0)
        value = ldexp((double)fraction, format->min_exponent - format->fraction_bits);
    else
        value = ldexp((double)(fraction | 1U << format->fraction_bits),
                      (int)exponent - 1 + format->min_exponent - format->fraction_bits);
    return (bits & 0x8000U) != 0 ? -value : value;
}

static double saturate(double value, double low, double high)
{
    const double whole = isnan(value) ? 0 : trunc(value);
    return (whole < low ? low : whole > high ? high : whole) + 0.0; /* no negative zero */
}

/* Integers stay below 2^53 except at the ends of their range, which doubles hold well enough to saturate. */
static double round_integer(haly_dtype dtype, double value)
{
    switch (dtype) {
    case HALY_I8:
        return saturate(value, -128, 127);
    case HALY_U8:
        return saturate(value, 0, 255);
    case HALY_I16:
        return saturate(value, -32768, 32767);
    case HALY_U16:
        return saturate(value, 0, 65535);
    case HALY_I32:
        return saturate(value, -2147483648.0, 2147483647.0);
    case HALY_U32:
        return saturate(value, 0, 4294967295.0);
    case HALY_I64:
        return saturate(value, -9223372036854775808.0, 9223372036854775807.0);
    case HALY_U64:
        return saturate(value, 0, 18446744073709551615.0);
    default: /* bool */
        return value != 0 ? 1 : 0;
    }
}

double cts_round(haly_dtype dtype, double value)
{
    switch (dtype) {
    case HALY_F64:
        return value;
    case HALY_F32:
        return (double)(float)value;
    case HALY_F16:
        return round_to(&half, value);
    case HALY_BF16:
        return round_to(&brain, value);
    default:
        return round_integer(dtype, value);
    }
}

static int64_t to_i64(double value)
{
    return value >= 9223372036854775807.0 ? INT64_MAX : (int64_t)value;
}

static uint64_t to_u64(double value)
{
    return value >= 18446744073709551615.0 ? UINT64_MAX : (uint64_t)value;
}

/* Where the lowest `size` bytes of a number stand in memory. */
static uint8_t *low_bytes(uint64_t *number, uint32_t size)
{
    return (uint8_t *)number + (__BYTE_ORDER__ == __ORDER_BIG_ENDIAN__ ? sizeof *number - size : 0);
}

void cts_encode(haly_dtype dtype, double value, void *out)
{
    const double rounded = cts_round(dtype, value);
    const float single = (float)value;
    const int64_t i64 =
        dtype == HALY_I8 || dtype == HALY_I16 || dtype == HALY_I32 || dtype == HALY_I64 ? to_i64(rounded) : 0;
    uint64_t u64 = (uint64_t)i64;
    switch (dtype) {
    case HALY_F64:
        memcpy(out, &value, sizeof value);
        return;
    case HALY_F32:
        memcpy(out, &single, sizeof single);
        return;
    case HALY_F16:
        u64 = encode_bits(&half, value);
        break;
    case HALY_BF16:
        u64 = encode_bits(&brain, value);
        break;
    case HALY_U8:
    case HALY_U16:
    case HALY_U32:
    case HALY_U64:
    case HALY_BOOL:
        u64 = to_u64(rounded);
        break;
    default:
        break;
    }
    const uint32_t size = haly_dtype_block_bytes(dtype);
    memcpy(out, low_bytes(&u64, size), size);
}

double cts_decode(haly_dtype dtype, const void *bytes)
{
    double f64;
    float f32;
    uint64_t u64 = 0;
    const uint32_t size = haly_dtype_block_bytes(dtype);
    memcpy(low_bytes(&u64, size), bytes, size);
    switch (dtype) {
    case HALY_F64:
        memcpy(&f64, bytes, sizeof f64);
        return f64;
    case HALY_F32:
        memcpy(&f32, bytes, sizeof f32);
        return (double)f32;
    case HALY_F16:
        return decode_bits(&half, (unsigned)u64);
    case HALY_BF16:
        return decode_bits(&brain, (unsigned)u64);
    case HALY_I8:
        return (double)(int8_t)u64;
    case HALY_I16:
        return (double)(int16_t)u64;
    case HALY_I32:
        return (double)(int32_t)u64;
    case HALY_I64:
        return (double)(int64_t)u64;
    default:
        return (double)u64;
    }
}

void cts_encode_scale(double value, uint8_t out[2])
{
    const unsigned bits = encode_bits(&half, value);
    out[0] = (uint8_t)bits;
    out[1] = (uint8_t)(bits >> 8);
}

static double decode_scale(const uint8_t bytes[2])
{
    return decode_bits(&half, bytes[0] | (unsigned)bytes[1] << 8);
}

void cts_decode_block(haly_dtype dtype, const uint8_t *block, double out_values[32])
{
    const double scale = decode_scale(block);
    const double minimum = dtype == HALY_Q4_1 ? decode_scale(block + 2) : 0;
    const uint8_t *quants = block + (dtype == HALY_Q4_1 ? 4 : 2);
    for (unsigned i = 0; i < 32; i++) {
        if (dtype == HALY_Q8_0) {
            out_values[i] = scale * (double)(int8_t)quants[i];
        } else {
            const int quant = i < 16 ? quants[i] & 15 : quants[i - 16] >> 4;
            out_values[i] = dtype == HALY_Q4_1 ? scale * quant + minimum : scale * (quant - 8);
        }
    }
}
