/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The numerics contract. A row bounds the error of the f32 arithmetic behind an operator; what the rounding to a
 * narrower output adds is the same for all and is added here. The bounds leave room for the least accurate functions
 * that OpenCL and CUDA allow in full precision, not for reduced precision modes.
 */
#include <halyard/numerics.h>

#include <string.h>

#include "check.h"
#include "operator.h"

/* One bit pattern is right: movement, one correctly rounded operation, or a choice between inputs. */
#define EXACT(name_, dtypes_, note_)                                                                                   \
    {                                                                                                                  \
        name_, dtypes_, 0, 0, HALY_SCALE_VALUE, 1, note_                                                               \
    }
/* So much off, relative to the value, besides an absolute error. */
#define CLOSE(name_, absolute_, relative_, note_)                                                                      \
    {                                                                                                                  \
        name_, DTYPES_FLOAT, absolute_, relative_, HALY_SCALE_VALUE, 0, note_                                          \
    }
/* A sum: so much off, relative to the sum of absolute values. */
#define SUM(name_, absolute_, relative_, note_)                                                                        \
    {                                                                                                                  \
        name_, DTYPES_FLOAT, absolute_, relative_, HALY_SCALE_MAGNITUDE, 0, note_                                      \
    }

#define DTYPES_CAST (DTYPES_FLOAT | DTYPES_INDEX | DTYPE_BIT(HALY_U8) | DTYPE_BIT(HALY_BOOL))

static const char rounded_once[] =
    "one IEEE operation; in f32 before f16 and bf16, where rounding twice changes nothing";
static const char four_ulp[] = "4 units in the last place of f32, and two of the smallest subnormal";
static const char product_sum[] = "f32 products and sums of up to 65536 terms in any order, rounding errors taken as "
                                  "independent; magnitude is the sum of |a * b| and |bias|";

static const struct row {
    const char *name;
    uint64_t dtypes; /* of the output */
    double absolute;
    double relative;
    haly_numerics_scale scale;
    uint32_t exact;
    const char *note;
} rows[] = {
    EXACT("Add", DTYPES_FLOAT, rounded_once),
    EXACT("Sub", DTYPES_FLOAT, rounded_once),
    EXACT("Mul", DTYPES_FLOAT, rounded_once),
    EXACT("Max", DTYPES_FLOAT, "one of the inputs; the sign of a zero and the bits of a NaN are free"),
    EXACT("Min", DTYPES_FLOAT, "one of the inputs; the sign of a zero and the bits of a NaN are free"),
    EXACT("Neg", DTYPES_FLOAT, "flips the sign"),
    EXACT("Abs", DTYPES_FLOAT, "clears the sign"),
    EXACT("Relu", DTYPES_FLOAT, "the input or 0; the sign of a zero and the bits of a NaN are free"),
    EXACT("Identity", DTYPES_PLAIN, "moves bits"),
    EXACT("Transpose", DTYPES_PLAIN, "moves bits"),
    EXACT("Cast", DTYPES_CAST, "one rounding to nearest even, or truncation"),
    EXACT("ArgMax", DTYPE_BIT(HALY_I64), "an index"),
    EXACT("Embedding", DTYPES_FLOAT,
          "plain tables move bits; d * q is exact in f32, d * q + m rounded once; then rounded to the output"),
    CLOSE("Div", 0x1p-148, 0x1p-21, four_ulp),
    CLOSE("Sqrt", 0x1p-148, 0x1p-21, four_ulp),
    CLOSE("Reciprocal", 0x1p-148, 0x1p-21, four_ulp),
    CLOSE("Exp", 0x1p-148, 0x1p-21, four_ulp),
    CLOSE("Log", 0x1p-148, 0x1p-21, four_ulp),
    CLOSE("Tanh", 0x1p-148, 0x1p-21, four_ulp),
    CLOSE("Sigmoid", 0x1p-125, 0x1p-21, "4 units in the last place of f32; results below the normal range may be 0"),
    CLOSE("Swish", 0x1p-117, 0x1p-20, "Sigmoid and a product; the tail below x = -87 may be 0"),
    CLOSE("SwiGLU", 0x1p-110, 0x1p-20, "Swish and a product; the tail below gate = -87 may be 0"),
    CLOSE("Gelu", 0x1p-19, 0x1p-21,
          "1 + erf(x) cancels for negative x: absolute, for the |x| below 6 where it matters"),
    CLOSE("Softmax", 0x1p-23, 0x1p-20, "x - max is rounded, which e^x turns into (max - x) * 2^-24: absolute"),
    CLOSE("RMSNormalization", 0, 0x1p-18, "f32 mean of squares, which cannot cancel, a root and two products"),
    CLOSE("AddRMSNorm", 0, 0x1p-18, "sum is one rounded addition; y as RMSNormalization of the stored sum"),
    SUM("MatMul", 0, 0x1p-17, product_sum),
    SUM("QuantizedMatMul", 0, 0x1p-17, product_sum),
    SUM("Rotary", 0x1p-19, 0x1p-18,
        "angles right to 2e-6 for positions up to 2^20; magnitude is |x| of both elements of the pair"),
    SUM("CachedAttention", 0x1p-20, 0x1p-15,
        "scores of magnitude up to 100 in f32, whose error e^x turns into a relative one; magnitude is the sum of the "
        "weights times |v|"),
};

/* Largest distance of two neighbours of a narrow type: relative, and among its subnormals. */
static void add_rounding(haly_dtype dtype, haly_numerics *numerics)
{
    if (dtype == HALY_F16) {
        numerics->relative += 0x1p-10;
        numerics->absolute += 0x1p-24;
    } else if (dtype == HALY_BF16) {
        numerics->relative += 0x1p-7;
        numerics->absolute += 0x1p-133;
    }
}

static const struct row *find_row(const char *name)
{
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        if (strcmp(rows[i].name, name) == 0)
            return &rows[i];
    return NULL;
}

/* Exact results that are rounded twice, in f32 and then to a narrow type, may end one step from what `want` is. */
static bool is_rounded_twice(const struct row *row)
{
    return strcmp(row->name, "Embedding") == 0;
}

haly_status haly_numerics_get(const char *domain, const char *name, haly_dtype dtype, haly_numerics *out_numerics)
{
    const struct op *op;
    if (name == NULL)
        return FAIL(HALY_ERR_INVALID, "name is NULL, expected an operator's name");
    TRY(op_find(domain != NULL ? domain : "", name, 0, &op));
    const struct row *row = find_row(op->name);
    if (row == NULL)
        return FAIL(HALY_ERR_NOT_FOUND, "operator %s has no contract", op->name);
    if (!dtype_in(dtype, row->dtypes))
        return FAIL(HALY_ERR_NOT_FOUND, "operator %s has no contract for outputs of type %s", op->name,
                    haly_dtype_name(dtype));
    haly_numerics numerics = {HALY_NUMERICS_INIT,        .accumulate = dtype_in(dtype, DTYPES_FLOAT) ? HALY_F32 : dtype,
                              .absolute = row->absolute, .relative = row->relative,
                              .scale = row->scale,       .exact = row->exact,
                              .note = row->note};
    if (row->exact == 0 || is_rounded_twice(row))
        add_rounding(dtype, &numerics);
    else if (dtype == HALY_BF16 && strcmp(row->name, "Mul") == 0)
        numerics.absolute = 0x1p-133; /* a product below f32's subnormals is rounded twice */
    TRY(CHECK_OUTPUT(out_numerics, haly_numerics, note, &numerics));
    return HALY_OK;
}
