/* SPDX-License-Identifier: Apache-2.0 */
#define _GNU_SOURCE
/* The optional oneDNN object: matrix products of one tile, one thread. The only file that knows oneDNN or OpenMP. */
#include "cpu_onednn.h"

#include <halyard/dtype.h>

#include <dlfcn.h>
#include <oneapi/dnnl/dnnl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cpu_isa.h"
#include "planted.h"

_Static_assert(CPU_ONEDNN_NO_MEMORY == dnnl_out_of_memory, "what the backend takes for memory exhausted");

struct matmul {
    dnnl_primitive_t primitive;
    dnnl_memory_desc_t a, b, bias, y;
    dnnl_memory_desc_t scratchpad;
    size_t scratchpad_bytes; /* 0: it needs none */
    int has_bias;
};

static dnnl_engine_t engine;
static dnnl_stream_t stream;
static struct cpu_onednn_table table;

/* Of the OpenMP library that oneDNN brought; looked up, because which one that is, is oneDNN's business. */
static int (*get_threads)(void);
static void (*set_threads)(int threads);

/* OpenMP's thread count belongs to the calling thread, which may be the user's: put back afterwards. */
static int enter(void)
{
    const int before = get_threads != NULL ? get_threads() : 1;
    if (before != 1)
        set_threads(1);
    return before;
}

static void leave(int before)
{
    if (before != 1)
        set_threads(before);
}

static void find_openmp(void)
{
    void *get = dlsym(RTLD_DEFAULT, "omp_get_max_threads"), *set = dlsym(RTLD_DEFAULT, "omp_set_num_threads");
    if (get == NULL || set == NULL)
        return;                             /* a oneDNN without OpenMP */
    memcpy(&get_threads, &get, sizeof get); /* ISO C has no cast from an object's to a function's address */
    memcpy(&set_threads, &set, sizeof set);
}

static dnnl_data_type_t type_of(uint32_t dtype)
{
    switch (dtype) {
    case HALY_F32:
        return dnnl_f32;
    case HALY_F16:
        return dnnl_f16;
    case HALY_BF16:
        return dnnl_bf16;
    default:
        return dnnl_data_type_undef;
    }
}

static dnnl_status_t describe(dnnl_memory_desc_t *out, int64_t rows, int64_t columns, dnnl_data_type_t type,
                              int64_t row_stride, int64_t column_stride)
{
    const dnnl_dims_t dims = {rows, columns}, strides = {row_stride, column_stride};
    return dnnl_memory_desc_init_by_strides(out, 2, dims, type, strides);
}

/* With a scratchpad of the caller's: the one that oneDNN would keep itself is shared by all threads that run the
 * primitive, or belongs to the thread that made it. */
static dnnl_status_t make_primitive(struct matmul *self, const dnnl_matmul_desc_t *desc)
{
    dnnl_primitive_desc_t primitive_desc;
    dnnl_primitive_attr_t attributes;
    dnnl_status_t status = dnnl_primitive_attr_create(&attributes);
    if (status != dnnl_success)
        return status;
    status = dnnl_primitive_attr_set_scratchpad_mode(attributes, dnnl_scratchpad_mode_user);
    if (status == dnnl_success)
        status = dnnl_primitive_desc_create(&primitive_desc, desc, attributes, engine, NULL);
    dnnl_primitive_attr_destroy(attributes);
    if (status != dnnl_success)
        return status;
    const dnnl_memory_desc_t *scratchpad = dnnl_primitive_desc_query_md(primitive_desc, dnnl_query_scratchpad_md, 0);
    if (scratchpad != NULL) {
        self->scratchpad = *scratchpad;
        self->scratchpad_bytes = dnnl_memory_desc_get_size(scratchpad);
    }
    status = dnnl_primitive_create(&self->primitive, primitive_desc);
    dnnl_primitive_desc_destroy(primitive_desc);
    return status;
}

static dnnl_status_t make(struct matmul *self, const struct cpu_onednn_matmul *matmul)
{
    const dnnl_data_type_t type = type_of(matmul->dtype);
    dnnl_matmul_desc_t desc;
    dnnl_status_t status = describe(&self->a, matmul->m, matmul->k, type, matmul->a_strides[0], matmul->a_strides[1]);
    if (status == dnnl_success)
        status = describe(&self->b, matmul->k, matmul->n, type, matmul->b_strides[0], matmul->b_strides[1]);
    if (status == dnnl_success)
        status = describe(&self->y, matmul->m, matmul->n, type,
                          PLANTED_OR(onednn_rows_without_gaps, matmul->y_stride, matmul->n), 1);
    if (status == dnnl_success && self->has_bias)
        status = describe(&self->bias, 1, matmul->n, dnnl_f32, matmul->n, 1);
    if (status == dnnl_success)
        status = dnnl_matmul_desc_init(&desc, &self->a, &self->b, self->has_bias ? &self->bias : NULL, &self->y);
    return status == dnnl_success ? make_primitive(self, &desc) : status;
}

static int matmul_create(const struct cpu_onednn_matmul *matmul, void **out_matmul)
{
    struct matmul *self = calloc(1, sizeof *self);
    if (self == NULL)
        return CPU_ONEDNN_NO_MEMORY;
    self->has_bias = matmul->has_bias != 0;
    const int before = enter();
    const dnnl_status_t status = make(self, matmul);
    leave(before);
    if (status == dnnl_success)
        *out_matmul = self;
    else
        free(self);
    return (int)status;
}

static void matmul_destroy(void *matmul)
{
    struct matmul *self = matmul;
    dnnl_primitive_destroy(self->primitive);
    free(self);
}

/* Wraps an address for one execution; oneDNN takes no const. */
static dnnl_status_t wrap(dnnl_exec_arg_t *argument, int index, const dnnl_memory_desc_t *desc, const void *address)
{
    union {
        const void *in;
        void *out;
    } any = {.in = address};
    argument->arg = index;
    return dnnl_memory_create(&argument->memory, desc, engine, any.out);
}

static dnnl_status_t execute(const struct matmul *self, const void *a, const void *b, const void *bias, void *y,
                             void *scratchpad)
{
    dnnl_exec_arg_t arguments[5];
    int count = 0;
    dnnl_status_t status = wrap(&arguments[count++], DNNL_ARG_SRC, &self->a, a);
    if (status == dnnl_success)
        status = wrap(&arguments[count++], DNNL_ARG_WEIGHTS, &self->b, b);
    if (status == dnnl_success)
        status = wrap(&arguments[count++], DNNL_ARG_DST, &self->y, y);
    if (status == dnnl_success && self->has_bias)
        status = wrap(&arguments[count++], DNNL_ARG_BIAS, &self->bias, bias);
    if (status == dnnl_success && scratchpad != NULL)
        status = wrap(&arguments[count++], DNNL_ARG_SCRATCHPAD, &self->scratchpad, scratchpad);
    if (status != dnnl_success) {
        count--; /* the one that failed does not exist */
    } else {
        const int before = enter();
        status = dnnl_primitive_execute(self->primitive, stream, count, arguments);
        leave(before);
    }
    while (count-- > 0)
        dnnl_memory_destroy(arguments[count].memory);
    return status;
}

static int matmul_run(void *matmul, const void *a, const void *b, const void *bias, void *y)
{
    const struct matmul *self = matmul;
    void *scratchpad = NULL;
    if (self->scratchpad_bytes != 0) {
        scratchpad = aligned_alloc(64, (self->scratchpad_bytes + 63) / 64 * 64);
        if (scratchpad == NULL)
            return CPU_ONEDNN_NO_MEMORY;
    }
    const dnnl_status_t status = execute(self, a, b, bias, y, scratchpad);
    free(scratchpad);
    return (int)status;
}

static dnnl_status_t open_stream(void)
{
    const dnnl_status_t status = dnnl_stream_create(&stream, engine, dnnl_stream_default_flags);
    if (status != dnnl_success)
        dnnl_engine_destroy(engine);
    return status;
}

static dnnl_status_t set_up(uint32_t isa)
{
    find_openmp();
    if (isa == CPU_ISA_AVX2)
        dnnl_set_max_cpu_isa(dnnl_cpu_isa_avx2);
    const int before = enter();
    dnnl_status_t status = dnnl_engine_create(&engine, dnnl_cpu, 0);
    if (status == dnnl_success)
        status = open_stream();
    leave(before);
    if (status != dnnl_success)
        return status;
    const dnnl_version_t *version = dnnl_version();
    snprintf(table.library, sizeof table.library, "oneDNN %d.%d.%d", version->major, version->minor, version->patch);
    table.isa = isa;
    table.matmul_create = matmul_create;
    table.matmul_destroy = matmul_destroy;
    table.matmul_run = matmul_run;
    table.version =
        CPU_ONEDNN_VERSION; /* last: a child of fork begins again with what its parent was in the middle of */
    return dnnl_success;
}

__attribute__((visibility("default"))) int halyard_cpu_onednn(uint32_t isa, const struct cpu_onednn_table **out_table);

int halyard_cpu_onednn(uint32_t isa, const struct cpu_onednn_table **out_table)
{
    const dnnl_status_t status = table.version != 0 ? dnnl_success : set_up(isa);
    if (status == dnnl_success)
        *out_table = &table;
    return (int)status;
}
