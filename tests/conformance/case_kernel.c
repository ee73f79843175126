/* SPDX-License-Identifier: Apache-2.0 */
/* Launching kernels: indices, groups, local memory, arguments, order. The kernels are in kernels/. */
#include <math.h>
#include <pthread.h>

#include "cts.h"

#define CASE_KERNEL(name_, requirements_) CTS_CASE_CAP(kernel, name_, requirements_, HALY_CAP_KERNELS)

static void expect_floats(struct cts *t, const void *device, const float *want, uint64_t count)
{
    float *got = cts_host(t, count * sizeof *got);
    cts_download(t, got, device, count * sizeof *got);
    for (uint64_t i = 0; i < count; i++)
        CTS_CHECK(fabsf(got[i] - want[i]) <= 1e-6F * fabsf(want[i]), "element %llu: got %g, want %g",
                  (unsigned long long)i, (double)got[i], (double)want[i]);
}

static float *random_floats(struct cts *t, uint64_t count)
{
    float *values = cts_host(t, count * sizeof *values);
    for (uint64_t i = 0; i < count; i++)
        values[i] = (float)cts_uniform(t, -10, 10);
    return values;
}

CASE_KERNEL(a_kernel_adds_two_vectors_of_any_length, "KRN-004 KRN-005")
{
    haly_kernel *kernel = cts_kernel(t, "cts_basic.so", "vector_add");
    for (uint64_t n = 1; n < 300000; n = n * 5 + 3) {
        float *x = random_floats(t, n), *y = random_floats(t, n), *want = cts_host(t, n * sizeof(float));
        const void *dx = cts_device_from(t, x, n * 4), *dy = cts_device_from(t, y, n * 4);
        void *dz = cts_device(t, n * 4);
        for (uint64_t i = 0; i < n; i++)
            want[i] = x[i] + y[i];
        CTS_OK(haly_launch_1d(t->stream, kernel, n, 0, HALY_ARGS(dx, dy, dz, n)));
        cts_sync(t, t->stream);
        expect_floats(t, dz, want, n);
    }
}

CASE_KERNEL(a_packed_block_of_arguments_is_laid_out_as_a_c_struct, "KRN-004 KRN-001")
{
    struct {
        const void *x, *y;
        void *z;
        uint64_t n;
    } block = {NULL, NULL, NULL, 1000};
    haly_kernel *kernel = cts_kernel(t, "cts_basic.so", "vector_add");
    float *x = random_floats(t, 1000), *want = cts_host(t, 4000);
    block.x = block.y = cts_device_from(t, x, 4000);
    block.z = cts_device(t, 4000);
    for (unsigned i = 0; i < 1000; i++)
        want[i] = x[i] + x[i];
    CTS_OK(haly_launch(t->stream, kernel,
                       &(haly_launch_desc){HALY_LAUNCH_DESC_INIT, .grid = {16}, .group = {64},
                                           .argument_bytes = sizeof block, .arguments = &block}));
    cts_sync(t, t->stream);
    expect_floats(t, block.z, want, 1000);
}

CASE_KERNEL(arguments_of_every_size_arrive, "KRN-001 KRN-004 KRN-005")
{
    struct pair {
        uint32_t first;
        float second;
        uint64_t third;
    } e = {0x89abcdef, 1.5F, 0x1122334455667788};
    uint8_t a = 0xfe;
    uint16_t b = 0xbeef;
    uint64_t c = 0xfedcba9876543210;
    int8_t d = -5;
    int32_t f = -123456789;
    float g = -0.25F;
    void *out = cts_device(t, 9 * 8);
    uint32_t second, last;
    memcpy(&second, &e.second, 4);
    memcpy(&last, &g, 4);
    const uint64_t want[9] = {a, b, c, (uint64_t)(int64_t)d, e.first, second, e.third, (uint64_t)(int64_t)f, last};
    haly_kernel *kernel = cts_kernel(t, "cts_basic.so", "pack_arguments");
    CTS_OK(haly_launch_1d(t->stream, kernel, 1, 1, HALY_ARGS(a, out, b, c, d, e, f, g)));
    cts_sync(t, t->stream);
    cts_expect_bytes(t, out, want, sizeof want);
}

CASE_KERNEL(arguments_are_read_before_the_call_returns, "KRN-004")
{
    float values[64], a = 2, b = 1, want[64];
    uint32_t n = 64;
    for (unsigned i = 0; i < 64; i++) {
        values[i] = (float)i;
        want[i] = (float)i * 2 + 1;
    }
    void *x = cts_device_from(t, values, sizeof values);
    haly_kernel *kernel = cts_kernel(t, "cts_basic.so", "scale_bias");
    cts_gate *gate = cts_hold(t, t->stream);
    CTS_OK(haly_launch_1d(t->stream, kernel, 64, 64, HALY_ARGS(x, a, b, n)));
    a = 0;
    b = 0;
    n = 0;
    cts_open(t, gate);
    cts_sync(t, t->stream);
    expect_floats(t, x, want, 64);
}

CASE_KERNEL(launches_of_a_stream_keep_their_order_with_copies, "KRN-004 STR-001")
{
    enum { N = 4096 };
    float *x = random_floats(t, N), *want = cts_host(t, N * 4), *back = cts_host(t, N * 4);
    const float a = 0.5F, b = 3;
    const uint32_t n = N;
    void *device = cts_device(t, N * 4), *other = cts_device(t, N * 4);
    haly_kernel *kernel = cts_kernel(t, "cts_basic.so", "scale_bias");
    memcpy(want, x, N * 4);
    CTS_OK(haly_copy(t->stream, device, x, N * 4));
    for (unsigned round = 0; round < 10; round++) {
        CTS_OK(haly_launch_1d(t->stream, kernel, N, 256, HALY_ARGS(device, a, b, n)));
        CTS_OK(haly_copy(t->stream, other, device, N * 4));
        CTS_OK(haly_launch_1d(t->stream, kernel, N, 128, HALY_ARGS(other, a, b, n)));
        CTS_OK(haly_copy(t->stream, device, other, N * 4));
        for (unsigned i = 0; i < N; i++)
            want[i] = (want[i] * a + b) * a + b;
    }
    CTS_OK(haly_copy(t->stream, back, device, N * 4));
    cts_sync(t, t->stream);
    expect_floats(t, device, want, N);
    CTS_TRUE(fabsf(back[N - 1] - want[N - 1]) <= 1e-6F * fabsf(want[N - 1]));
}

CASE_KERNEL(groups_of_a_grid_in_three_dimensions_know_their_place, "KRN-004")
{
    enum { X = 5, Y = 3, Z = 2 };
    uint32_t rows[X * Y * Z][16];
    void *out = cts_device(t, sizeof rows);
    haly_kernel *kernel = cts_kernel(t, "cts_basic.so", "describe_groups");
    CTS_OK(haly_launch(t->stream, kernel,
                       &(haly_launch_desc){HALY_LAUNCH_DESC_INIT, .grid = {X, Y, Z}, .group = {4, 2, 3},
                                           .argument_bytes = sizeof out, .arguments = &out}));
    cts_sync(t, t->stream);
    cts_download(t, rows, out, sizeof rows);
    for (uint32_t i = 0; i < X * Y * Z; i++) {
        const uint32_t want[10] = {i % X, i / X % Y, i / X / Y, X, Y, Z, 4, 2, 3, 24};
        for (unsigned at = 0; at < 10; at++)
            CTS_CHECK(rows[i][at] == want[at], "group %u, field %u: got %u, want %u", i, at, rows[i][at], want[at]);
        CTS_EQUAL(0xA5A5A5A5, rows[i][10]);
    }
}

CASE_KERNEL(items_of_a_group_in_three_dimensions_know_their_place, "KRN-004")
{
    enum { GROUPS = 4, X = 16, Y = 2, Z = 2 };
    uint32_t values[GROUPS * X * Y * Z];
    void *out = cts_device(t, sizeof values);
    haly_kernel *kernel = cts_kernel(t, "cts_basic.so", "item_coordinates");
    CTS_OK(haly_launch(t->stream, kernel,
                       &(haly_launch_desc){HALY_LAUNCH_DESC_INIT, .grid = {GROUPS}, .group = {X, Y, Z},
                                           .argument_bytes = sizeof out, .arguments = &out}));
    cts_sync(t, t->stream);
    cts_download(t, values, out, sizeof values);
    for (uint32_t i = 0; i < GROUPS * X * Y * Z; i++) {
        const uint32_t item = i % (X * Y * Z);
        CTS_EQUAL(item % X | item / X % Y << 8 | item / X / Y << 16, values[i]);
    }
}

CASE_KERNEL(a_zero_in_y_or_z_counts_as_one, "KRN-004")
{
    uint32_t rows[2][16];
    void *out = cts_device(t, sizeof rows);
    haly_kernel *kernel = cts_kernel(t, "cts_basic.so", "describe_groups");
    CTS_OK(haly_launch(t->stream, kernel,
                       &(haly_launch_desc){HALY_LAUNCH_DESC_INIT, .grid = {2, 0, 0}, .group = {32, 0, 0},
                                           .argument_bytes = sizeof out, .arguments = &out}));
    cts_sync(t, t->stream);
    cts_download(t, rows, out, sizeof rows);
    const uint32_t want[10] = {1, 0, 0, 2, 1, 1, 32, 1, 1, 32};
    CTS_EQUAL(0, memcmp(rows[1], want, sizeof want));
}

CASE_KERNEL(a_grid_without_groups_queues_nothing, "KRN-004")
{
    void *out = cts_device(t, 64);
    haly_kernel *kernel = cts_kernel(t, "cts_basic.so", "describe_groups");
    CTS_OK(haly_launch(t->stream, kernel,
                       &(haly_launch_desc){HALY_LAUNCH_DESC_INIT, .grid = {0, 5, 5}, .group = {32},
                                           .argument_bytes = sizeof out, .arguments = &out}));
    CTS_OK(haly_launch_1d(t->stream, kernel, 0, 32, HALY_ARGS(out)));
    CTS_OK(haly_stream_query(t->stream));
    cts_expect_filled(t, out, 0xA5, 64);
}

CASE_KERNEL(items_share_local_memory_and_a_region_ends_with_a_barrier, "KRN-004")
{
    enum { GROUPS = 8, ITEMS = 64 };
    uint32_t values[GROUPS * ITEMS], want[GROUPS * ITEMS];
    for (uint32_t i = 0; i < GROUPS * ITEMS; i++)
        values[i] = i % 997;
    for (uint32_t i = 0; i < GROUPS * ITEMS; i++) {
        const uint32_t base = i - i % ITEMS, next = base + (i + 1) % ITEMS, after = base + (i + 2) % ITEMS;
        want[i] = values[next] + values[after] * 1000;
    }
    void *x = cts_device_from(t, values, sizeof values);
    haly_kernel *kernel = cts_kernel(t, "cts_group.so", "rotate");
    CTS_OK(haly_launch_1d(t->stream, kernel, GROUPS * ITEMS, ITEMS, HALY_ARGS(x)));
    cts_sync(t, t->stream);
    cts_expect_bytes(t, x, want, sizeof want);
}

CASE_KERNEL(a_group_reduces_with_the_size_it_was_compiled_for, "KRN-004 KRN-005")
{
    enum { GROUPS = 33 };
    float *x = random_floats(t, GROUPS * 64), *got = cts_host(t, GROUPS * 64);
    const void *in = cts_device_from(t, x, GROUPS * 64 * 4);
    void *out = cts_device(t, GROUPS * 64);
    haly_kernel *kernel = cts_kernel(t, "cts_group.so", "group_sum");
    CTS_OK(haly_launch_1d(t->stream, kernel, GROUPS * 64, 0, HALY_ARGS(in, out)));
    cts_sync(t, t->stream);
    cts_download(t, got, out, GROUPS * 64);
    for (unsigned group = 0; group < GROUPS; group++) {
        double sum = 0, magnitude = 0;
        for (unsigned i = 0; i < 64; i++) {
            sum += (double)x[group * 64 + i];
            magnitude += fabs((double)x[group * 64 + i]);
        }
        CTS_CHECK(fabs((double)got[group * 16] - sum) <= 1e-6 * magnitude, "group %u: got %g, want %g", group,
                  (double)got[group * 16], sum);
    }
}

CASE_KERNEL(atomics_count_every_item_of_every_group, "KRN-004")
{
    const uint32_t zero = 0;
    uint32_t got = 0;
    void *counter = cts_device_from(t, &zero, 4);
    haly_kernel *kernel = cts_kernel(t, "cts_group.so", "count_items");
    CTS_OK(haly_launch_1d(t->stream, kernel, 500 * 128, 128, HALY_ARGS(counter)));
    cts_sync(t, t->stream);
    cts_download(t, &got, counter, 4);
    CTS_EQUAL(500 * 128, got);
}

CASE_KERNEL(interior_addresses_are_arguments, "KRN-004 MEM-001")
{
    float values[200], want[200];
    const float a = -1, b = 0;
    const uint32_t n = 64;
    for (unsigned i = 0; i < 200; i++)
        values[i] = want[i] = (float)i;
    for (unsigned i = 64; i < 128; i++)
        want[i] = -want[i];
    char *x = cts_device_from(t, values, sizeof values);
    char *inside = x + 64 * 4;
    haly_kernel *kernel = cts_kernel(t, "cts_basic.so", "scale_bias");
    CTS_OK(haly_launch_1d(t->stream, kernel, 64, 64, HALY_ARGS(inside, a, b, n)));
    cts_sync(t, t->stream);
    expect_floats(t, x, want, 200);
}

CASE_KERNEL(a_null_address_arrives_as_null, "KRN-004")
{
    uint32_t got = 0;
    const void *nothing = NULL, *something = cts_device(t, 64);
    void *out = cts_device(t, 4);
    haly_kernel *kernel = cts_kernel(t, "cts_basic.so", "is_null");
    CTS_OK(haly_launch_1d(t->stream, kernel, 1, 1, HALY_ARGS(nothing, out)));
    cts_sync(t, t->stream);
    cts_download(t, &got, out, 4);
    CTS_EQUAL(1, got);
    CTS_OK(haly_launch_1d(t->stream, kernel, 1, 1, HALY_ARGS(something, out)));
    cts_sync(t, t->stream);
    cts_download(t, &got, out, 4);
    CTS_EQUAL(2, got);
}

CASE_KERNEL(launch_1d_rounds_the_grid_up, "KRN-005")
{
    uint32_t rows[4][16];
    void *out = cts_device(t, sizeof rows);
    haly_kernel *kernel = cts_kernel(t, "cts_basic.so", "describe_groups");
    CTS_OK(haly_launch_1d(t->stream, kernel, 129, 64, HALY_ARGS(out)));
    cts_sync(t, t->stream);
    cts_download(t, rows, out, sizeof rows);
    CTS_EQUAL(3, rows[2][3]);
    CTS_EQUAL(64, rows[2][6]);
    CTS_EQUAL(0xA5A5A5A5, rows[3][0]);
}

CASE_KERNEL(a_thousand_launches_finish, "KRN-004 STR-002")
{
    float value = 0, want = 1000;
    const float a = 1, b = 1;
    const uint32_t n = 1;
    void *x = cts_device_from(t, &value, 4);
    haly_kernel *kernel = cts_kernel(t, "cts_basic.so", "scale_bias");
    for (unsigned i = 0; i < 1000; i++)
        CTS_OK(haly_launch_1d(t->stream, kernel, 1, 16, HALY_ARGS(x, a, b, n)));
    cts_sync(t, t->stream);
    expect_floats(t, x, &want, 1);
}

struct launcher {
    haly_stream *stream;
    haly_kernel *kernel;
    void *x;
    haly_status status;
};

static void *launch_in_thread(void *user)
{
    struct launcher *launcher = user;
    void *x = launcher->x;
    const float a = 1, b = 2;
    const uint32_t n = 1024;
    for (unsigned i = 0; i < 100 && launcher->status == HALY_OK; i++)
        launcher->status = haly_launch_1d(launcher->stream, launcher->kernel, n, 256, HALY_ARGS(x, a, b, n));
    if (launcher->status == HALY_OK)
        launcher->status = haly_stream_sync(launcher->stream, CTS_PATIENCE);
    return NULL;
}

CASE_KERNEL(threads_share_a_kernel, "KRN-003 KRN-004")
{
    enum { COUNT = 6 };
    struct launcher launchers[COUNT];
    pthread_t threads[COUNT];
    float *zeros = cts_host(t, 4096), want[1024];
    haly_kernel *kernel = cts_kernel(t, "cts_basic.so", "scale_bias");
    for (unsigned i = 0; i < 1024; i++)
        want[i] = 200;
    for (unsigned i = 0; i < COUNT; i++) {
        launchers[i] = (struct launcher){cts_stream(t), kernel, cts_device_from(t, zeros, 4096), HALY_OK};
        CTS_EQUAL(0, pthread_create(&threads[i], NULL, launch_in_thread, &launchers[i]));
    }
    for (unsigned i = 0; i < COUNT; i++) {
        (void)pthread_join(threads[i], NULL);
        CTS_EQUAL(HALY_OK, launchers[i].status);
        expect_floats(t, launchers[i].x, want, 1024);
    }
}
