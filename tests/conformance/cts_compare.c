/* SPDX-License-Identifier: Apache-2.0 */
/* Running operators by what the device declares, and comparing within the numerics contract. */
#include <math.h>
#include <string.h>

#include "cts_tensor.h"

int cts_dtype(struct cts *t, haly_dtype dtype)
{
    if ((t->spec.storage_dtypes & 1ULL << (unsigned)dtype) != 0)
        return 1;
    cts_part_unsupported(t, "the device does not declare tensors of %s", haly_dtype_name(dtype));
    return 0;
}

/* With the operator kernels every operator can be lowered, so that only types the device cannot hold are excused. */
static int may_be_unsupported(const struct cts *t, const haly_op_desc *desc)
{
    if (!cts_has(t, HALY_CAP_OPERATOR_KERNELS))
        return 1;
    for (uint32_t i = 0; i < desc->input_count; i++)
        if (desc->inputs[i].dtype != HALY_DTYPE_NONE &&
            (t->spec.storage_dtypes & 1ULL << (unsigned)desc->inputs[i].dtype) == 0)
            return 1;
    for (uint32_t i = 0; i < desc->output_count; i++)
        if ((t->spec.storage_dtypes & 1ULL << (unsigned)desc->outputs[i].dtype) == 0)
            return 1;
    return 0;
}

int cts_op(struct cts *t, const haly_op_desc *desc)
{
    const haly_status status = haly_op_supported(t->context, desc, NULL);
    if (status == HALY_ERR_UNSUPPORTED && may_be_unsupported(t, desc)) {
        const haly_error error = cts_last_error(t);
        cts_part_unsupported(t, "%s", error.message);
        return 0;
    }
    CTS_OK(status);
    CTS_OK(haly_op_run(t->stream, desc));
    cts_sync(t, t->stream);
    t->parts_run++;
    return 1;
}

void cts_expect_refused(struct cts *t, haly_status want, const haly_op_desc *desc, cts_tensor *y)
{
    if (want == HALY_ERR_INVALID && haly_op_supported(t->context, desc, NULL) == HALY_ERR_UNSUPPORTED &&
        may_be_unsupported(t, desc)) {
        cts_part_unsupported(t, "%s", cts_last_error(t).message);
        return;
    }
    CTS_STATUS(want, haly_op_run(t->stream, desc));
    cts_sync(t, t->stream);
    if (y != NULL)
        cts_expect_untouched(t, y);
    t->parts_run++;
}

static haly_numerics contract(struct cts *t, const char *domain, const char *name, haly_dtype dtype)
{
    haly_numerics row = {HALY_NUMERICS_INIT};
    CTS_OK(haly_numerics_get(domain, name, dtype, &row));
    return row;
}

static int is_same(double a, double b)
{
    return (isnan(a) && isnan(b)) || (a == b && signbit(a) == signbit(b));
}

/* Of equal operands these may give either zero. */
static int is_zero_sign_free(const char *name)
{
    return strcmp(name, "Max") == 0 || strcmp(name, "Min") == 0 || strcmp(name, "Relu") == 0;
}

static int is_within(const haly_numerics *row, const char *name, double got, double want, double scale)
{
    if (row->exact)
        return is_same(got, want) || (is_zero_sign_free(name) && got == want);
    if (isnan(want) || isnan(got))
        return isnan(want) && isnan(got);
    if (isinf(want) || isinf(got))
        return got == want;
    return fabs(got - want) <= row->absolute + row->relative * scale;
}

void cts_compare(struct cts *t, cts_tensor *y, const double *want, const double *magnitude, const char *domain,
                 const char *name)
{
    const haly_dtype dtype = y->view.dtype;
    const haly_numerics row = contract(t, domain, name, dtype);
    cts_fetch(t, y);
    for (int64_t i = 0; i < y->count; i++) {
        const double rounded = cts_round(dtype, want[i]);
        const double scale = magnitude == NULL || row.scale == HALY_SCALE_VALUE ? fabs(rounded) : magnitude[i];
        CTS_CHECK(is_within(&row, name, y->values[i], rounded, scale),
                  "%s %s: element %lld of %lld: got %.9g, want %.9g, allowed %.3g + %.3g * %.6g", name,
                  haly_dtype_name(dtype), (long long)i, (long long)y->count, y->values[i], rounded, row.absolute,
                  row.relative, scale);
    }
}

void cts_compare_exact(struct cts *t, cts_tensor *y, const double *values)
{
    cts_fetch(t, y);
    for (int64_t i = 0; i < y->count; i++) {
        const double want = cts_round(y->view.dtype, values[i]);
        CTS_CHECK(is_same(y->values[i], want), "element %lld of %lld (%s): got %.17g, want exactly %.17g", (long long)i,
                  (long long)y->count, haly_dtype_name(y->view.dtype), y->values[i], want);
    }
}

void cts_compare_bits(struct cts *t, const cts_tensor *a, const cts_tensor *b)
{
    CTS_EQUAL(a->bytes, b->bytes);
    for (uint64_t i = 0; i < a->bytes; i++)
        CTS_CHECK(a->image[i] == b->image[i], "byte %llu differs between two runs: 0x%02x and 0x%02x",
                  (unsigned long long)i, a->image[i], b->image[i]);
}
