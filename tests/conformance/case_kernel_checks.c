/* SPDX-License-Identifier: Apache-2.0 */
/* Modules and kernels: what is told of them, what is refused before anything is queued, and how long they live. */
#define _GNU_SOURCE
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>

#include "cts.h"

#define CASE_KERNEL(name_, requirements_) CTS_CASE_CAP(kernel, name_, requirements_, HALY_CAP_KERNELS)

static void *read_file(struct cts *t, const char *name, uint64_t *out_size)
{
    FILE *file = fopen(cts_data_file(t, name), "rb");
    uint8_t *bytes = cts_host(t, 1 << 20);
    CTS_TRUE(file != NULL);
    *out_size = fread(bytes, 1, 1 << 20, file);
    (void)fclose(file);
    CTS_TRUE(*out_size > 1000 && *out_size < 1 << 20);
    return bytes;
}

static haly_status load_bytes(struct cts *t, const void *bytes, uint64_t size, haly_module **out_module)
{
    return haly_module_load(t->context, &(haly_module_desc){HALY_MODULE_DESC_INIT, .data = bytes, .size = size},
                            out_module);
}

CASE_KERNEL(a_kernel_tells_its_arguments, "KRN-001")
{
    haly_kernel_info info = {HALY_KERNEL_INFO_INIT};
    CTS_OK(haly_kernel_info_get(cts_kernel(t, "cts_basic.so", "vector_add"), &info));
    CTS_TRUE(strcmp(info.name, "vector_add") == 0);
    CTS_EQUAL(4, info.argument_count);
    CTS_EQUAL(32, info.argument_bytes);
    CTS_TRUE(info.argument_size >= sizeof(haly_argument_info));
    for (uint32_t i = 0; i < 4; i++) {
        const char *row = (const char *)info.arguments + (size_t)i * info.argument_size;
        haly_argument_info argument;
        memcpy(&argument, row, sizeof argument);
        CTS_EQUAL(8 * i, argument.offset);
        CTS_EQUAL(8, argument.size);
        CTS_EQUAL(i < 3, argument.is_address);
        if (i < 3)
            CTS_EQUAL(i < 2, argument.is_const);
    }
    CTS_EQUAL(0, info.group[0] | info.group[1] | info.group[2]);
    CTS_TRUE(info.max_group_items >= 1 && info.max_group_items <= t->spec.max_group_items);
    CTS_OK(haly_kernel_info_get(cts_kernel(t, "cts_group.so", "group_sum"), &info));
    CTS_EQUAL(64, info.group[0]);
}

CASE_KERNEL(kernels_of_one_module_have_arguments_of_their_own, "KRN-001 KRN-003")
{
    static const struct {
        const char *name;
        uint32_t count, bytes;
    } want[] = {{"is_null", 2, 16}, {"vector_add", 4, 32}, {"scale_bias", 4, 24}, {"is_null", 2, 16}};
    haly_module *module = NULL;
    CTS_OK(haly_module_load_file(t->context, cts_data_file(t, "cts_basic.so"), &module));
    cts_own_module(t, module);
    for (unsigned i = 0; i < sizeof want / sizeof want[0]; i++) {
        haly_kernel_info info = {HALY_KERNEL_INFO_INIT};
        haly_kernel *kernel = NULL;
        CTS_OK(haly_kernel_get(module, want[i].name, &kernel));
        cts_own_kernel(t, kernel);
        CTS_OK(haly_kernel_info_get(kernel, &info));
        CTS_TRUE(strcmp(info.name, want[i].name) == 0);
        CTS_EQUAL(want[i].count, info.argument_count);
        CTS_EQUAL(want[i].bytes, info.argument_bytes);
        const char *last = (const char *)info.arguments + (size_t)(info.argument_count - 1) * info.argument_size;
        haly_argument_info argument;
        memcpy(&argument, last, sizeof argument);
        CTS_CHECK(argument.offset + argument.size <= info.argument_bytes &&
                      argument.offset + argument.size > info.argument_bytes - 8,
                  "%s: the last of its arguments ends at byte %u of %u", want[i].name, argument.offset + argument.size,
                  info.argument_bytes);
    }
}

CASE_KERNEL(a_module_loads_from_memory_that_may_go_away, "KRN-002 KRN-003")
{
    uint64_t size = 0;
    uint8_t *bytes = read_file(t, "cts_basic.so", &size);
    haly_module *module = NULL;
    haly_kernel *kernel = NULL;
    const void *nothing = NULL;
    void *out = cts_device(t, 4);
    uint32_t got = 0;
    CTS_OK(load_bytes(t, bytes, size, &module));
    memset(bytes, 0xEE, size);
    CTS_OK(haly_kernel_get(module, "is_null", &kernel));
    CTS_OK(haly_launch_1d(t->stream, kernel, 1, 1, HALY_ARGS(nothing, out)));
    cts_sync(t, t->stream);
    cts_download(t, &got, out, 4);
    CTS_EQUAL(1, got);
    haly_kernel_release(kernel);
    haly_module_release(module);
}

CASE_KERNEL(modules_come_and_go_without_end, "KRN-002 CTX-001")
{
    uint64_t size = 0;
    const uint8_t *bytes = read_file(t, "cts_basic.so", &size);
    struct rlimit limit;
    CTS_EQUAL(0, getrlimit(RLIMIT_NOFILE, &limit));
    if (limit.rlim_cur > 256) /* what each would leave open shows soon */
        limit.rlim_cur = 256;
    CTS_EQUAL(0, setrlimit(RLIMIT_NOFILE, &limit));
    for (unsigned round = 0; round < 300; round++) {
        haly_module *module = NULL;
        haly_kernel *kernel = NULL;
        CTS_OK(load_bytes(t, bytes, size, &module));
        CTS_OK(haly_kernel_get(module, "is_null", &kernel));
        haly_kernel_release(kernel);
        haly_module_release(module);
    }
}

CASE_KERNEL(a_truncated_image_is_refused, "KRN-002 ABI-005")
{
    uint64_t size = 0;
    const uint8_t *bytes = read_file(t, "cts_basic.so", &size);
    const uint64_t lengths[] = {1, 4, 16, 63, 64, 200, size / 2, size - 1};
    for (unsigned i = 0; i < sizeof lengths / sizeof lengths[0]; i++) {
        haly_module *module = NULL;
        const haly_status status = load_bytes(t, bytes, lengths[i], &module);
        t->failures_expected++;
        CTS_CHECK(status == HALY_ERR_CORRUPT || status == HALY_ERR_UNSUPPORTED, "%llu of %llu bytes: %s",
                  (unsigned long long)lengths[i], (unsigned long long)size, haly_status_name(status));
        CTS_TRUE(module == NULL);
    }
}

CASE_KERNEL(an_image_too_short_to_be_told_is_corrupt, "KRN-002 ABI-005")
{
    uint64_t size = 0;
    const uint8_t *bytes = read_file(t, "cts_basic.so", &size);
    for (uint64_t length = 0; length < 4; length++) {
        haly_module *module = NULL;
        CTS_STATUS(HALY_ERR_CORRUPT, load_bytes(t, bytes, length, &module));
        CTS_MESSAGE("too few");
        CTS_TRUE(module == NULL);
    }
}

CASE_KERNEL(an_image_for_another_machine_is_unsupported_and_named, "KRN-002")
{
    uint64_t size = 0;
    uint8_t *bytes = read_file(t, "cts_basic.so", &size);
    haly_module *module = NULL;
    bytes[18] = 8; /* e_machine: MIPS */
    bytes[19] = 0;
    CTS_STATUS(HALY_ERR_UNSUPPORTED, load_bytes(t, bytes, size, &module));
    bytes[18] = 0xF3; /* RISC-V */
    CTS_STATUS(HALY_ERR_UNSUPPORTED, load_bytes(t, bytes, size, &module));
    CTS_TRUE(module == NULL);
}

CASE_KERNEL(what_is_no_image_at_all_is_refused, "KRN-002")
{
    static const char text[] = "#!/bin/sh\necho this is no kernel\n";
    haly_module *module = NULL;
    const haly_status status = load_bytes(t, text, sizeof text, &module);
    t->failures_expected++;
    CTS_CHECK(status == HALY_ERR_CORRUPT || status == HALY_ERR_UNSUPPORTED, "got %s", haly_status_name(status));
    const haly_module_desc forced = {HALY_MODULE_DESC_INIT, .format = HALY_MODULE_HOST_OBJECT, .data = text,
                                     .size = sizeof text};
    const haly_status other = haly_module_load(t->context, &forced, &module);
    CTS_CHECK(other == HALY_ERR_CORRUPT || other == HALY_ERR_UNSUPPORTED, "got %s", haly_status_name(other));
    CTS_TRUE(module == NULL);
}

CASE_KERNEL(files_that_cannot_be_read_say_why, "KRN-002")
{
    haly_module *module = NULL;
    CTS_STATUS(HALY_ERR_NOT_FOUND, haly_module_load_file(t->context, "/nonexistent/kernel.so", &module));
    CTS_MESSAGE("/nonexistent/kernel.so");
    CTS_STATUS(HALY_ERR_IO, haly_module_load_file(t->context, "/", &module));
    struct rlimit limit;
    CTS_EQUAL(0, getrlimit(RLIMIT_NOFILE, &limit));
    const struct rlimit none = {0, limit.rlim_max};
    CTS_EQUAL(0, setrlimit(RLIMIT_NOFILE, &none));
    CTS_STATUS(HALY_ERR_RESOURCE_EXHAUSTED, haly_module_load_file(t->context, "/dev/null", &module));
    CTS_EQUAL(HALY_RECOVER_RETRY, cts_last_error(t).recovery);
    CTS_EQUAL(0, setrlimit(RLIMIT_NOFILE, &limit));
    CTS_INVALID(haly_module_load_file(t->context, NULL, &module));
    CTS_INVALID(haly_module_load(t->context, NULL, &module));
    CTS_INVALID(haly_module_load(t->context, &(haly_module_desc){HALY_MODULE_DESC_INIT}, &module));
    CTS_STATUS(HALY_ERR_UNSUPPORTED, haly_module_load(t->context,
                                                      &(haly_module_desc){HALY_MODULE_DESC_INIT, .data = "x", .size = 1,
                                                                          .format = (haly_module_format)77},
                                                      &module));
    CTS_TRUE(module == NULL);
}

CASE_KERNEL(a_kernel_that_is_not_there_is_not_found, "KRN-003 ABI-005")
{
    haly_module *module = NULL;
    haly_kernel *kernel = NULL;
    CTS_OK(haly_module_load_file(t->context, cts_data_file(t, "cts_basic.so"), &module));
    CTS_STATUS(HALY_ERR_NOT_FOUND, haly_kernel_get(module, "vector_sub", &kernel));
    CTS_MESSAGE("vector_sub");
    CTS_STATUS(HALY_ERR_NOT_FOUND, haly_kernel_get(module, "", &kernel));
    CTS_INVALID(haly_kernel_get(module, NULL, &kernel));
    CTS_TRUE(kernel == NULL);
    haly_module_release(module);
}

CASE_KERNEL(kernels_keep_their_module_and_launches_their_kernel, "KRN-003 KRN-004 CTX-001")
{
    haly_module *module = NULL;
    haly_kernel *kernel = NULL;
    const void *nothing = NULL;
    void *out = cts_device(t, 4);
    uint32_t got = 0;
    CTS_OK(haly_module_load_file(t->context, cts_data_file(t, "cts_basic.so"), &module));
    CTS_OK(haly_kernel_get(module, "is_null", &kernel));
    haly_module_release(module);
    cts_gate *gate = cts_hold(t, t->stream);
    CTS_OK(haly_launch_1d(t->stream, kernel, 1, 1, HALY_ARGS(nothing, out)));
    haly_kernel_retain(kernel);
    haly_kernel_release(kernel);
    haly_kernel_release(kernel); /* the launch is still queued */
    cts_open(t, gate);
    cts_sync(t, t->stream);
    cts_download(t, &got, out, 4);
    CTS_EQUAL(1, got);
    haly_module_retain(NULL);
    haly_module_release(NULL);
    haly_kernel_retain(NULL);
    haly_kernel_release(NULL);
}

CASE_KERNEL(a_module_is_found_by_its_name, "KRN-002 CTX-008")
{
    haly_module *module = NULL;
    void *found = NULL;
    const haly_module_desc desc = {HALY_MODULE_DESC_INIT, .path = cts_data_file(t, "cts_basic.so"), .name = "basics"};
    CTS_OK(haly_module_load(t->context, &desc, &module));
    CTS_OK(haly_context_find(t->context, HALY_OBJECT_MODULE, "basics", 0, &found));
    CTS_TRUE(found == module);
    haly_module_release(module);
}

static haly_status launch_vector_add(struct cts *t, haly_kernel *kernel, const haly_launch_desc *base, void *x, void *z)
{
    struct {
        void *x, *y, *z;
        uint64_t n;
    } block = {x, x, z, 1};
    haly_launch_desc desc = *base;
    desc.arguments = &block;
    if (desc.argument_bytes == 0)
        desc.argument_bytes = sizeof block;
    return haly_launch(t->stream, kernel, &desc);
}

CASE_KERNEL(a_block_of_the_wrong_size_is_invalid, "KRN-001 KRN-004")
{
    haly_kernel *kernel = cts_kernel(t, "cts_basic.so", "vector_add");
    void *x = cts_device(t, 64), *z = cts_device(t, 64);
    static const uint32_t wrong[] = {1, 24, 31, 33, 40, 4096};
    for (unsigned i = 0; i < 6; i++) {
        const haly_launch_desc desc = {HALY_LAUNCH_DESC_INIT, .grid = {1}, .group = {16}, .argument_bytes = wrong[i]};
        CTS_INVALID(launch_vector_add(t, kernel, &desc, x, z));
    }
    CTS_INVALID(
        haly_launch(t->stream, kernel, &(haly_launch_desc){HALY_LAUNCH_DESC_INIT, .grid = {1}, .argument_bytes = 32}));
    CTS_OK(haly_stream_query(t->stream));
    cts_expect_filled(t, z, 0xA5, 64);
}

CASE_KERNEL(memory_of_another_context_is_refused_as_an_argument, "KRN-001 KRN-004")
{
    const haly_launch_desc desc = {HALY_LAUNCH_DESC_INIT, .grid = {1}, .group = {16}};
    haly_context *other = cts_context(t, NULL);
    haly_kernel *kernel = cts_kernel(t, "cts_basic.so", "vector_add");
    void *x = cts_device(t, 64), *z = cts_device(t, 64), *theirs = cts_device_in(t, other, 64), *freed = NULL;
    CTS_INVALID(launch_vector_add(t, kernel, &desc, theirs, z));
    CTS_INVALID(launch_vector_add(t, kernel, &desc, x, theirs));
    CTS_OK(haly_malloc(t->context, 64, NULL, &freed));
    CTS_OK(haly_free(t->context, freed));
    CTS_INVALID(launch_vector_add(t, kernel, &desc, x, freed));
    CTS_OK(haly_stream_query(t->stream));
    cts_expect_filled(t, z, 0xA5, 64);
}

CASE_KERNEL(host_memory_is_an_argument_only_where_addresses_are_native, "KRN-004 CTX-003")
{
    const haly_launch_desc desc = {HALY_LAUNCH_DESC_INIT, .grid = {1}, .group = {16}};
    haly_kernel *kernel = cts_kernel(t, "cts_basic.so", "vector_add");
    haly_context_info info = {HALY_CONTEXT_INFO_INIT};
    float *host = cts_host(t, 64);
    void *z = cts_device(t, 64);
    CTS_OK(haly_context_info_get(t->context, &info));
    if (!info.addresses_are_native || t->variant == CTS_MOVABLE) {
        CTS_INVALID(launch_vector_add(t, kernel, &desc, host, z));
        return;
    }
    const haly_launch_desc nothing = {HALY_LAUNCH_DESC_INIT, .grid = {0}, .group = {16}};
    CTS_OK(launch_vector_add(t, kernel, &nothing, host, z)); /* accepted; what the device makes of it is its own */
}

CASE_KERNEL(pinned_memory_is_an_argument, "KRN-004 MEM-010")
{
    const haly_launch_desc desc = {HALY_LAUNCH_DESC_INIT, .grid = {1}, .group = {16}};
    haly_kernel *kernel = cts_kernel(t, "cts_basic.so", "vector_add");
    float *x = NULL, got = 0;
    void *z = cts_device(t, 64);
    CTS_OK(haly_host_alloc(t->context, 64, (void **)&x));
    x[0] = 1.5F;
    CTS_OK(launch_vector_add(t, kernel, &desc, x, z));
    cts_sync(t, t->stream);
    cts_download(t, &got, z, 4);
    CTS_CHECK(got == 3, "got %g", (double)got);
    CTS_OK(haly_host_free(t->context, x));
}

CASE_KERNEL(a_group_beyond_the_limits_is_invalid_and_the_limit_is_named, "KRN-004")
{
    haly_kernel *kernel = cts_kernel(t, "cts_basic.so", "vector_add");
    void *x = cts_device(t, 64), *z = cts_device(t, 64);
    haly_kernel_info info = {HALY_KERNEL_INFO_INIT};
    CTS_OK(haly_kernel_info_get(kernel, &info));
    const haly_launch_desc items = {HALY_LAUNCH_DESC_INIT, .grid = {1}, .group = {info.max_group_items + 1}};
    CTS_INVALID(launch_vector_add(t, kernel, &items, x, z));
    const haly_launch_desc product = {HALY_LAUNCH_DESC_INIT, .grid = {1}, .group = {65536, 65536, 1}};
    CTS_INVALID(launch_vector_add(t, kernel, &product, x, z)); /* 2^32 items: must not wrap to 0 */
    for (unsigned i = 0; i < 3; i++) {
        haly_launch_desc dimension = {HALY_LAUNCH_DESC_INIT, .grid = {1}, .group = {1, 1, 1}};
        if (t->spec.max_group[i] == UINT32_MAX)
            continue;
        dimension.group[i] = t->spec.max_group[i] + 1;
        CTS_INVALID(launch_vector_add(t, kernel, &dimension, x, z));
    }
    CTS_OK(haly_stream_query(t->stream));
}

CASE_KERNEL(a_group_other_than_the_compiled_one_is_invalid, "KRN-004 KRN-005")
{
    haly_kernel *kernel = cts_kernel(t, "cts_group.so", "group_sum");
    const void *in = cts_device(t, 64 * 4);
    void *out = cts_device(t, 64);
    CTS_INVALID(haly_launch_1d(t->stream, kernel, 64, 32, HALY_ARGS(in, out)));
    CTS_INVALID(haly_launch_1d(t->stream, kernel, 64, 128, HALY_ARGS(in, out)));
    CTS_OK(haly_stream_query(t->stream));
    cts_expect_filled(t, out, 0xA5, 64);
}

CASE_KERNEL(a_grid_beyond_the_limits_is_invalid, "KRN-004 KRN-005")
{
    haly_kernel *kernel = cts_kernel(t, "cts_basic.so", "vector_add");
    void *x = cts_device(t, 64), *z = cts_device(t, 64);
    const uint64_t n = 1;
    for (unsigned i = 0; i < 3; i++) {
        haly_launch_desc desc = {HALY_LAUNCH_DESC_INIT, .grid = {1, 1, 1}, .group = {16}};
        desc.grid[i] = UINT64_MAX;
        CTS_INVALID(launch_vector_add(t, kernel, &desc, x, z));
        if (t->spec.max_grid[i] != UINT64_MAX) {
            desc.grid[i] = t->spec.max_grid[i] + 1;
            CTS_INVALID(launch_vector_add(t, kernel, &desc, x, z));
        }
    }
    CTS_INVALID(haly_launch_1d(t->stream, kernel, UINT64_MAX, 16, HALY_ARGS(x, x, z, n)));
    CTS_OK(haly_stream_query(t->stream));
}

CASE_KERNEL(launch_1d_checks_count_and_size_of_each_argument, "KRN-005 KRN-001")
{
    haly_kernel *kernel = cts_kernel(t, "cts_basic.so", "vector_add");
    void *x = cts_device(t, 64), *z = cts_device(t, 64);
    const uint64_t n = 1;
    const uint32_t too_small = 1;
    CTS_INVALID(haly_launch_1d(t->stream, kernel, 1, 16, HALY_ARGS(x, x, z)));
    CTS_INVALID(haly_launch_1d(t->stream, kernel, 1, 16, HALY_ARGS(x, x, z, n, n)));
    CTS_INVALID(haly_launch_1d(t->stream, kernel, 1, 16, HALY_ARGS(x, x, z, too_small)));
    CTS_INVALID(haly_launch_1d(t->stream, kernel, 1, 16, NULL, 4, sizeof(haly_arg)));
    CTS_INVALID(haly_launch_1d(t->stream, kernel, 1, 16, NULL, 0, sizeof(haly_arg)));
    const haly_arg args[] = {{&x, sizeof x}, {&x, sizeof x}, {&z, sizeof z}, {&n, sizeof n}};
    CTS_INVALID(haly_launch_1d(t->stream, kernel, 1, 16, args, 4, 0));
    CTS_INVALID(haly_launch_1d(t->stream, kernel, 1, 16, args, 4, sizeof *args - 1));
    CTS_OK(haly_stream_query(t->stream));
    cts_expect_filled(t, z, 0xA5, 64);
}

/* A program made with a later version may have longer elements: arrays are walked by the size that it states. */
CASE_KERNEL(launch_1d_takes_longer_elements, "KRN-005 ABI-003")
{
    const float values[4] = {1, 2, 3, 4}, sums[4] = {2, 4, 6, 8};
    void *x = cts_device_from(t, values, sizeof values), *z = cts_device(t, sizeof sums);
    haly_kernel *kernel = cts_kernel(t, "cts_basic.so", "vector_add");
    const uint64_t n = 4;
    const struct {
        haly_arg arg;
        uint64_t later;
    } args[] = {{{&x, sizeof x}, 1}, {{&x, sizeof x}, 2}, {{&z, sizeof z}, 3}, {{&n, sizeof n}, 4}};
    CTS_OK(haly_launch_1d(t->stream, kernel, 4, 4, &args[0].arg, 4, sizeof *args));
    cts_sync(t, t->stream);
    cts_expect_bytes(t, z, sums, sizeof sums);
}

CASE_KERNEL(dynamic_local_memory_that_was_not_declared_is_refused, "KRN-004")
{
    haly_kernel *kernel = cts_kernel(t, "cts_basic.so", "vector_add");
    void *x = cts_device(t, 64), *z = cts_device(t, 64);
    const haly_launch_desc desc = {HALY_LAUNCH_DESC_INIT, .grid = {1}, .group = {16}, .dynamic_local_bytes = 1024};
    const haly_status status = launch_vector_add(t, kernel, &desc, x, z);
    t->failures_expected++;
    CTS_CHECK(status == HALY_ERR_INVALID || status == HALY_ERR_UNSUPPORTED, "got %s", haly_status_name(status));
    cts_expect_filled(t, z, 0xA5, 64);
}

CASE_KERNEL(a_kernel_runs_on_streams_of_its_context_only, "KRN-004")
{
    haly_context *other = cts_context(t, NULL);
    haly_stream *foreign = cts_stream_of(t, other);
    haly_kernel *kernel = cts_kernel(t, "cts_basic.so", "is_null");
    const void *nothing = NULL;
    void *out = cts_device_in(t, other, 64);
    CTS_INVALID(haly_launch_1d(foreign, kernel, 1, 1, HALY_ARGS(nothing, out)));
}

CTS_CASE_CAP(kernel, the_operator_kernels_are_a_module, "KRN-002", HALY_CAP_OPERATOR_KERNELS)
{
    haly_module *module = NULL;
    haly_kernel *kernel = NULL;
    CTS_OK(haly_module_load(t->context, &(haly_module_desc){HALY_MODULE_DESC_INIT, .format = HALY_MODULE_OPERATORS},
                            &module));
    CTS_STATUS(HALY_ERR_NOT_FOUND, haly_kernel_get(module, "no_such_operator_kernel", &kernel));
    haly_module_release(module);
}
