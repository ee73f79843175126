/* SPDX-License-Identifier: Apache-2.0 */
/* oneDNN's functions that can fail, as the cpu backend's optional object imports them. Declared here, so that the sweep
 * builds without oneDNN; each row of CALLS_DNNL is for interposed_calls. */
#ifndef TESTS_SWEEP_CALLS_DNNL_H
#define TESTS_SWEEP_CALLS_DNNL_H

/* DNNL(name, parameters, arguments): all of them return a dnnl_status_t, 0 for success. */
#define DNNL_FUNCTIONS(DNNL)                                                                                           \
    DNNL(engine_create, (void **engine, int kind, unsigned long index), (engine, kind, index))                         \
    DNNL(stream_create, (void **stream, void *engine, unsigned flags), (stream, engine, flags))                        \
    DNNL(primitive_attr_create, (void **out), (out))                                                                   \
    DNNL(primitive_attr_set_scratchpad_mode, (void *attributes, int mode), (attributes, mode))                         \
    DNNL(memory_desc_init_by_strides, (void *desc, int dimensions, const void *dims, int type, const void *strides),   \
         (desc, dimensions, dims, type, strides))                                                                      \
    DNNL(matmul_desc_init, (void *desc, const void *a, const void *b, const void *bias, const void *y),                \
         (desc, a, b, bias, y))                                                                                        \
    DNNL(primitive_desc_create,                                                                                        \
         (void **out, const void *desc, const void *attributes, void *engine, const void *hint),                       \
         (out, desc, attributes, engine, hint))                                                                        \
    DNNL(primitive_create, (void **out, const void *desc), (out, desc))                                                \
    DNNL(memory_create, (void **out, const void *desc, void *engine, void *address), (out, desc, engine, address))     \
    DNNL(primitive_execute, (const void *primitive, void *stream, int count, const void *arguments),                   \
         (primitive, stream, count, arguments))

#define DNNL_DECLARE(name_, parameters_, arguments_)                                                                   \
    int sweep_dnnl_##name_ parameters_;                                                                                \
    extern int(*dnnl_original_##name_) parameters_;
DNNL_FUNCTIONS(DNNL_DECLARE)
#undef DNNL_DECLARE

#define DNNL_ROW(name_, parameters_, arguments_)                                                                       \
    {"dnnl_" #name_, (void (*)(void))sweep_dnnl_##name_, (void (**)(void)) & dnnl_original_##name_},

#endif
