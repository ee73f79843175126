/* SPDX-License-Identifier: Apache-2.0 */
/* Elements of every type in double precision, tensors of several layouts, and comparing by the numerics contract. */
#include "oracle.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "inline_backend.h"

static haly_context *context;
static haly_stream *stream;
static uint64_t seed = 20240607;
uint32_t layout;
#define MOST 20000 /* elements of a tensor here, gaps included */

uint32_t random_bits(void)
{
    seed = seed * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (uint32_t)(seed >> 33);
}

static double random_value(void)
{
    return (double)(random_bits() % 8192) / 1024.0 - 4.0;
}

/* ---- elements ---- */

static float f32_of_bits(uint32_t bits)
{
    float value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

static double f16_value(uint16_t bits)
{
    const int exponent = bits >> 10 & 31;
    const double fraction = bits & 1023, sign = bits >> 15 ? -1 : 1;
    if (exponent == 31)
        return fraction != 0 ? (double)NAN : sign * (double)INFINITY;
    return sign * (exponent == 0 ? ldexp(fraction, -24) : ldexp(fraction + 1024, exponent - 25));
}

/* To the nearest of a narrow type, in double. */
double rounded(haly_dtype dtype, double value)
{
    if (dtype == HALY_F32)
        return (double)(float)value;
    const int digits = dtype == HALY_F16 ? 11 : 8, least = dtype == HALY_F16 ? -14 : -126;
    if (!isfinite(value) || value == 0)
        return value;
    const int exponent = ilogb(value) > least ? ilogb(value) : least;
    const double unit = ldexp(1, exponent - digits + 1), result = rint(value / unit) * unit;
    return dtype == HALY_F16 && fabs(result) > 65504 ? copysign((double)INFINITY, value) : result;
}

static uint16_t f16_bits(double value)
{
    const double result = rounded(HALY_F16, value);
    const uint16_t sign = signbit(value) ? 0x8000 : 0;
    if (result == 0)
        return sign;
    const int exponent = ilogb(result) > -14 ? ilogb(result) : -14;
    const int fraction = (int)ldexp(fabs(result), 10 - exponent);
    return (uint16_t)(sign | (fraction < 1024 ? fraction : (exponent + 15) << 10 | (fraction & 1023)));
}

double element(const haly_tensor *t, int64_t offset)
{
    const char *base = t->data;
    uint16_t half;
    switch (t->dtype) {
    case HALY_F32:
        return (double)((const float *)t->data)[offset];
    case HALY_F16:
        memcpy(&half, base + 2 * offset, 2);
        return f16_value(half);
    case HALY_BF16:
        memcpy(&half, base + 2 * offset, 2);
        return (double)f32_of_bits((uint32_t)half << 16);
    case HALY_I32:
        return ((const int32_t *)t->data)[offset];
    case HALY_I64:
        return (double)((const int64_t *)t->data)[offset];
    case HALY_U8:
    case HALY_BOOL:
        return ((const uint8_t *)t->data)[offset];
    default:
        fail_msg("no element of type %s", haly_dtype_name(t->dtype));
        return 0;
    }
}

void element_set(const haly_tensor *t, int64_t offset, double value)
{
    uint16_t half;
    uint32_t bits;
    const float single = (float)rounded(t->dtype == HALY_BF16 ? HALY_BF16 : HALY_F32, value);
    switch (t->dtype) {
    case HALY_F32:
        ((float *)t->data)[offset] = single;
        break;
    case HALY_F16:
        half = f16_bits(value);
        memcpy((char *)t->data + 2 * offset, &half, 2);
        break;
    case HALY_BF16:
        memcpy(&bits, &single, 4);
        half = (uint16_t)(bits >> 16);
        memcpy((char *)t->data + 2 * offset, &half, 2);
        break;
    case HALY_I32:
        ((int32_t *)t->data)[offset] = (int32_t)value;
        break;
    case HALY_I64:
        ((int64_t *)t->data)[offset] = (int64_t)value;
        break;
    case HALY_U8:
        ((uint8_t *)t->data)[offset] = (uint8_t)(int)fabs(value);
        break;
    case HALY_BOOL:
        ((uint8_t *)t->data)[offset] = value > 0;
        break;
    default:
        fail_msg("no element of type %s", haly_dtype_name(t->dtype));
    }
}

int64_t count_of(const haly_tensor *t)
{
    int64_t count = 1;
    for (uint32_t i = 0; i < t->rank; i++)
        count *= t->shape[i];
    return count;
}

/* Where the index-th element in row-major order stands. */
int64_t place(const haly_tensor *t, int64_t index)
{
    int64_t offset = 0;
    for (uint32_t i = t->rank; i-- > 0; index /= t->shape[i])
        offset += index % t->shape[i] * t->strides[i];
    return offset;
}

double at(const haly_tensor *t, int64_t index)
{
    return element(t, place(t, index));
}

/* Four indices of a tensor of rank 4. */
double at4(const haly_tensor *t, int64_t a, int64_t b, int64_t c, int64_t d)
{
    return element(t, a * t->strides[0] + b * t->strides[1] + c * t->strides[2] + d * t->strides[3]);
}

/* ---- tensors ---- */

static void *allocate(uint64_t bytes)
{
    void *memory = NULL;
    assert_int_equal(haly_malloc(context, bytes, NULL, &memory), HALY_OK);
    memset(memory, 0x5A, bytes);
    return memory;
}

/* Strides of the layout under test; element 0 may then stand in the middle. One tensor after the other gets another of
 * the strided layouts, so that operands cannot be taken for each other. */
static void lay_out(haly_tensor *t)
{
    static uint32_t made;
    const uint32_t own = layout == 0 ? 0 : 1 + (layout + made++) % (LAYOUTS - 1);
    int64_t stride = 1, first = MOST / 2;
    for (uint32_t i = 0; i < t->rank; i++) {
        const uint32_t d = own == 2 ? i : t->rank - 1 - i;
        t->strides[d] = own == 3 && i % 2 == 0 ? -stride : stride;
        stride *= t->shape[d] + (own == 1 || own == 3 ? 1 + i : 0);
        stride = stride > 0 ? stride : 1;
    }
    assert_true(stride < MOST / 2);
    t->data = (char *)t->data + first * haly_dtype_block_bytes(t->dtype);
}

haly_tensor make(haly_dtype dtype, uint32_t rank, int64_t a, int64_t b, int64_t c, int64_t d)
{
    const int64_t shape[4] = {a, b, c, d};
    haly_tensor t = haly_tensor_make(dtype, rank, shape, allocate((uint64_t)MOST * haly_dtype_block_bytes(dtype)));
    lay_out(&t);
    return t;
}

haly_tensor fill(haly_tensor t)
{
    for (int64_t i = 0; i < count_of(&t); i++)
        element_set(&t, place(&t, i), random_value());
    return t;
}

/* Scales stand in blocks with the low byte first, on every machine. */
static void put_scale(unsigned char *at, uint16_t bits)
{
    at[0] = (unsigned char)bits;
    at[1] = (unsigned char)(bits >> 8);
}

static double scale_at(const unsigned char *at)
{
    return f16_value((uint16_t)(at[0] | at[1] << 8));
}

/* Blocks with small scales; rows have a gap of a block in strided layouts. */
haly_tensor make_blocks(haly_dtype dtype, int64_t rows, int64_t columns)
{
    const uint32_t bytes = haly_dtype_block_bytes(dtype);
    haly_tensor t = haly_tensor_2d(dtype, NULL, rows, columns);
    t.strides[0] += layout != 0 ? 32 : 0;
    unsigned char *data = allocate((uint64_t)(rows * (columns / 32 + 1) + 1) * bytes);
    for (int64_t i = 0; i < rows * (columns / 32 + 1) * bytes; i++)
        data[i] = (unsigned char)random_bits();
    for (int64_t block = 0; block < rows * (columns / 32 + 1); block++) {
        const uint16_t d = f16_bits(random_value() / 64), m = f16_bits(random_value());
        put_scale(data + block * bytes, d);
        if (dtype == HALY_Q4_1)
            put_scale(data + block * bytes + 2, m);
    }
    t.data = data;
    return t;
}

/* An element of a matrix of any type. */
double weight_at(const haly_tensor *t, int64_t row, int64_t column)
{
    if (haly_dtype_block_elements(t->dtype) == 1)
        return element(t, row * t->strides[0] + column * t->strides[1]);
    const int64_t block = (row * t->strides[0] + column) / 32, in = column % 32;
    const unsigned char *data = (const unsigned char *)t->data + block * haly_dtype_block_bytes(t->dtype);
    const double d = scale_at(data);
    if (t->dtype == HALY_Q8_0)
        return d * (double)(int8_t)data[2 + in];
    const unsigned char *nibbles = data + (t->dtype == HALY_Q4_1 ? 4 : 2);
    const int q = in < 16 ? nibbles[in] & 15 : nibbles[in - 16] >> 4;
    if (t->dtype == HALY_Q4_0)
        return d * (q - 8);
    return d * q + scale_at(data + 2);
}

/* ---- running and comparing ---- */

struct run begin(const char *domain, const char *name)
{
    return (struct run){.desc = {HALY_OP_DESC_INIT, .domain = domain, .name = name, .output_count = 1}};
}

/* Marks the bytes of an output's elements. */
static void mark(const haly_tensor *t, unsigned char *marks)
{
    const uint32_t bytes = haly_dtype_block_bytes(t->dtype);
    for (int64_t i = 0; i < count_of(t); i++)
        memset(marks + (MOST / 2 + place(t, i)) * bytes, 1, bytes);
}

void check_surroundings(const haly_tensor *t)
{
    const uint32_t bytes = haly_dtype_block_bytes(t->dtype);
    unsigned char *marks = calloc(MOST, bytes);
    const unsigned char *base = (const unsigned char *)t->data - (size_t)(MOST / 2) * bytes;
    assert_non_null(marks);
    mark(t, marks);
    for (uint32_t i = 0; i < MOST * bytes; i++)
        if (marks[i] == 0 && base[i] != 0x5A)
            fail_msg("a byte outside the output was written");
    free(marks);
}

void execute(struct run *run, uint32_t inputs)
{
    run->desc.inputs = run->inputs;
    run->desc.input_count = inputs;
    run->desc.outputs = run->outputs;
    run->desc.attributes = run->attributes;
    const haly_status status = haly_op_run(stream, &run->desc);
    if (status != HALY_OK)
        haly_error_print(stderr);
    assert_int_equal(status, HALY_OK);
    assert_int_equal(haly_stream_sync(stream, HALY_FOREVER), HALY_OK);
    for (uint32_t i = 0; i < run->desc.output_count; i++)
        check_surroundings(&run->outputs[i]);
}

void attribute(struct run *run, haly_attribute value)
{
    run->attributes[run->desc.attribute_count++] = value;
}

void compare(const struct run *run, uint32_t output, int64_t index, double want, double magnitude)
{
    const haly_tensor *y = &run->outputs[output];
    haly_numerics contract = {HALY_NUMERICS_INIT};
    assert_int_equal(haly_numerics_get(run->desc.domain, run->desc.name, y->dtype, &contract), HALY_OK);
    const double got = at(y, index), nearest = y->dtype == HALY_F32 || y->dtype == HALY_F16 || y->dtype == HALY_BF16
                                                   ? rounded(y->dtype, want)
                                                   : want;
    const double scale = contract.scale == HALY_SCALE_MAGNITUDE ? magnitude : fabs(nearest);
    if (got == nearest || (isnan(got) && isnan(nearest)))
        return;
    if (!(fabs(got - nearest) <= contract.absolute + contract.relative * scale))
        fail_msg("%s %s layout %u: element %lld is %.9g, expected %.9g, off by %.3g, allowed %.3g", run->desc.name,
                 haly_dtype_name(y->dtype), layout, (long long)index, got, nearest, fabs(got - nearest),
                 contract.absolute + contract.relative * scale);
}

static const haly_dtype floats[] = {HALY_F32, HALY_F16, HALY_BF16};

/* Runs a test for each floating point type and layout. */
void for_each(void (*test)(haly_dtype dtype))
{
    for (uint32_t i = 0; i < 3; i++)
        for (layout = 0; layout < LAYOUTS; layout++) {
            context = inline_context_open();
            assert_int_equal(haly_stream_create(context, NULL, &stream), HALY_OK);
            test(floats[i]);
            haly_stream_release(stream);
            haly_context_release(context);
        }
}
