/* SPDX-License-Identifier: Apache-2.0 */
/* What an address is, in ordinary, translated and movable contexts; descriptions, zeroing, pinned and registered
 * memory, bad arguments, and abandoned contexts. */
#define _GNU_SOURCE
#include "memory_fixture.h"

#include <errno.h>

#include "address.h"

static struct fixture *open_translated(void)
{
    return fixture_open(HALY_CAP_HOST_REGISTER, 0, 16 * GIB, 0);
}

static struct fixture *open_movable(void)
{
    return fixture_open(PLACING, HALY_CONTEXT_MOVABLE, 16 * GIB, 0);
}

/* The kernel says EFAULT instead of sending a signal. */
static bool host_can_read(const void *address)
{
    int ends[2];
    assert_int_equal(pipe(ends), 0);
    const bool is_readable = write(ends[1], address, 1) == 1;
    close(ends[0]);
    close(ends[1]);
    return is_readable;
}

static void ordinary_addresses_are_the_backends_own(void **state)
{
    struct fixture *f = open_plain();
    struct memory_view view;
    uint64_t base = 1, bytes = 1;
    (void)state;
    char *address = take(f, 5 * MIB);
    memory_window(f->context, &base, &bytes);
    assert_int_equal(base + bytes, 0);
    assert_ok(memory_resolve(f->context, address + 77, 100, "dst", &view));
    assert_ptr_equal(memory_translate(f->context, address + 77), address + 77);
    assert_int_equal(view.memory_class, HALY_MEMORY_DEVICE);
    assert_ptr_equal(view.context, f->context);
    assert_ptr_equal(memory_translate(f->context, address + 77), address + 77);
    fixture_close(f);
}

static void translated_addresses_lie_in_a_window_that_the_host_cannot_touch(void **state)
{
    struct fixture *f = open_translated();
    struct memory_view view;
    uint64_t base = 0, bytes = 0;
    int local = 0;
    (void)state;
    memory_window(f->context, &base, &bytes);
    assert_int_equal(bytes, 64 * GIB);
    for (int i = 0; i < 10; i++) {
        char *address = take(f, 3 * MIB);
        assert_true((uintptr_t)address >= base && (uintptr_t)address + 3 * MIB <= base + bytes);
        assert_ok(memory_resolve(f->context, address + 4097, 5, "dst", &view));
        const char *native = memory_translate(f->context, address + 4097);
        assert_ptr_not_equal(native, address + 4097);
        assert_false(host_can_read(address + 4097));
        assert_true(host_can_read(native));
        assert_int_equal(((uintptr_t)native - (uintptr_t)address - 4097) % (2 * MIB), 0);
    }
    assert_ptr_equal(memory_translate(f->context, &local), &local);
    assert_null(memory_translate(f->context, NULL));
    fixture_close(f);
    assert_false(window_is_inside_any((void *)(uintptr_t)base));
}

static void movable_memory_is_placed_in_the_window(void **state)
{
    struct fixture *f = open_movable();
    struct memory_view view;
    uint64_t base = 0, bytes = 0;
    (void)state;
    memory_window(f->context, &base, &bytes);
    char *address = take(f, 30 * MIB);
    assert_int_equal((uintptr_t)address, base);
    assert_ok(memory_resolve(f->context, address, 30 * MIB, "dst", &view));
    assert_ptr_equal(memory_translate(f->context, address), address);
    assert_true(host_can_read(address)); /* this backend's memory is the host's */
    assert_ok(haly_free(f->context, address));
    assert_ok(haly_memory_trim(f->context, 0));
    assert_false(host_can_read(address)); /* given back, still reserved */
    assert_ptr_equal(take(f, 30 * MIB), address);
    fake.misplaces = 1;
    void *other = NULL;
    assert_fails(haly_malloc(f->context, 300 * MIB, NULL, &other), HALY_ERR_BACKEND, "the place it was given");
    fixture_close(f);
}

static void a_window_is_as_large_as_was_asked_or_refused(void **state)
{
    struct fixture *f = open_movable();
    uint64_t base = 0, bytes = 0;
    (void)state;
    memory_close(f->context);
    struct memory_config config = {.window_bytes = 512 * MIB, .window_is_exact = true};
    assert_ok(memory_open_with(f->context, &config));
    memory_window(f->context, &base, &bytes);
    assert_int_equal(bytes, 512 * MIB);
    memory_close(f->context);
    config.window_bytes = UINT64_C(1) << 47;
    assert_fails(memory_open_with(f->context, &config), HALY_ERR_RESOURCE_EXHAUSTED, "140737488355328 bytes");
    f->device.spec.allocation_alignment = 96;
    config.window_bytes = 0;
    assert_fails(memory_open_with(f->context, &config), HALY_ERR_BACKEND, "power of two");
    f->device.spec.allocation_alignment = 4096;
    assert_ok(memory_open_with(f->context, &config));
    take(f, 1);
    assert_int_equal((uintptr_t)take(f, 1) % 4096, 0);
    fixture_close(f);
}

struct resolve_row {
    const void *address;
    uint64_t size;
    haly_status status;
    haly_memory_class memory_class;
    const char *message; /* part of it, for failures */
};

static void check_row(haly_context *context, size_t i, const struct resolve_row *row)
{
    struct memory_view view = {HALY_MEMORY_CLASS_MAX_ENUM, NULL};
    const haly_status status = memory_resolve(context, row->address, row->size, "dst", &view);
    if (status != row->status)
        fail_msg("row %zu: status %d", i, (int)status);
    if (status != HALY_OK) {
        if (strstr(error_detail()->message, row->message) == NULL)
            fail_msg("row %zu: \"%s\"", i, error_detail()->message);
        return;
    }
    if (view.memory_class != row->memory_class)
        fail_msg("row %zu: class %d", i, (int)view.memory_class);
    assert_ptr_equal(memory_translate(context, row->address), row->address);
    assert_ptr_equal(view.context, view.memory_class == HALY_MEMORY_UNKNOWN ? NULL : context);
}

static void resolve_tells_ranges_apart(void **state)
{
    enum { SIZE = 100000 };
    struct fixture *f = open_plain();
    char *live = take(f, SIZE), *freed = take(f, SIZE), *last = take(f, SIZE);
    char *large = take(f, 200 * MIB), local[64];
    void *pinned = NULL, *given = test_malloc(1 << 16);
    (void)state;
    assert_ok(haly_free(f->context, freed));
    assert_ok(haly_host_alloc(f->context, SIZE, &pinned));
    assert_ok(haly_host_register(f->context, given, 1 << 16));
    fake.foreign = local + 32;
    const char *end = (const char *)(uintptr_t)(address_find(live)->base + address_find(live)->bytes);
    const struct resolve_row rows[] = {
        {live, SIZE, HALY_OK, HALY_MEMORY_DEVICE, NULL},
        {live + 1, SIZE - 1, HALY_OK, HALY_MEMORY_DEVICE, NULL},
        {live + SIZE - 1, 1, HALY_OK, HALY_MEMORY_DEVICE, NULL},
        {live + SIZE, 0, HALY_OK, HALY_MEMORY_DEVICE, NULL},
        {live, 0, HALY_OK, HALY_MEMORY_DEVICE, NULL},
        {large, 200 * MIB, HALY_OK, HALY_MEMORY_DEVICE, NULL},
        {large + 199 * MIB, MIB, HALY_OK, HALY_MEMORY_DEVICE, NULL},
        {live, SIZE + 1, HALY_ERR_INVALID, 0, "dst: "}, /* within the rounding, still outside */
        {live + SIZE, 1, HALY_ERR_INVALID, 0, "leaves its allocation of 100000 bytes"},
        {live + 1, SIZE, HALY_ERR_INVALID, 0, "leaves its allocation"},
        {live, 3 * SIZE, HALY_ERR_INVALID, 0, "leaves its allocation"},
        {large + MIB, 200 * MIB, HALY_ERR_INVALID, 0, "leaves its allocation of 209715200 bytes"},
        {freed, 1, HALY_ERR_INVALID, 0, "freed memory"},
        {freed + 500, 10, HALY_ERR_INVALID, 0, "freed memory"},
        {freed + 500, 0, HALY_ERR_INVALID, 0, "freed memory"},
        {end - 1, 1, HALY_ERR_INVALID, 0, "freed memory"},
        {live, UINT64_MAX, HALY_ERR_INVALID, 0, "wraps"},
        {(void *)(UINTPTR_MAX - 5), 7, HALY_ERR_INVALID, 0, "wraps"},
        {NULL, 1, HALY_ERR_INVALID, 0, "dst is NULL"},
        {NULL, 0, HALY_OK, HALY_MEMORY_UNKNOWN, NULL},
        {local, sizeof local, HALY_OK, HALY_MEMORY_UNKNOWN, NULL},
        {local + 32, 4, HALY_OK, HALY_MEMORY_FOREIGN, NULL},
        {(const char *)(uintptr_t)address_find(live)->base - 10, 20, HALY_ERR_INVALID, 0, "runs into device memory"},
        {pinned, SIZE, HALY_OK, HALY_MEMORY_PINNED, NULL},
        {(char *)pinned + SIZE, 1, HALY_ERR_INVALID, 0, "leaves its allocation of 100000 bytes"},
        {given, 1 << 16, HALY_OK, HALY_MEMORY_REGISTERED, NULL},
        {(char *)given + 100, 200, HALY_OK, HALY_MEMORY_REGISTERED, NULL},
        {(char *)given + 100, 1 << 16, HALY_OK, HALY_MEMORY_UNKNOWN, NULL}, /* not all of it is registered */
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        check_row(f->context, i, &rows[i]);
    assert_ok(haly_host_unregister(f->context, given));
    test_free(given);
    assert_ok(haly_free(f->context, last));
    fixture_close(f);
}

static void addresses_of_a_window_are_never_taken_for_host_memory(void **state)
{
    struct fixture *f = open_translated();
    struct memory_view view;
    uint64_t base = 0, bytes = 0;
    (void)state;
    char *address = take(f, MIB);
    memory_window(f->context, &base, &bytes);
    const char *unused = (const char *)(uintptr_t)(base + bytes - 4096);
    assert_fails(memory_resolve(f->context, unused, 1, "src", &view), HALY_ERR_INVALID, "src: ");
    assert_ok(haly_free(f->context, address));
    assert_fails(memory_resolve(f->context, address, 1, "src", &view), HALY_ERR_INVALID, "freed memory");
    assert_ok(haly_memory_trim(f->context, 0));
    assert_fails(memory_resolve(f->context, address, 1, "src", &view), HALY_ERR_INVALID, "no live allocation");
    assert_fails(memory_resolve(f->context, address, 0, "src", &view), HALY_ERR_INVALID, "no live allocation");
    assert_int_equal(info_of(unused).memory_class, HALY_MEMORY_UNKNOWN);
    fixture_close(f);
}

static void frees_say_what_the_address_is(void **state)
{
    struct fixture *f = open_plain();
    char *live = take(f, 1000), *freed = take(f, 1000), local;
    void *pinned = NULL;
    (void)state;
    assert_ok(haly_host_alloc(f->context, 100, &pinned));
    assert_ok(haly_free(f->context, freed));
    assert_fails(haly_free(f->context, freed), HALY_ERR_INVALID, "freed already");
    assert_fails(haly_free(f->context, live + 8), HALY_ERR_INVALID, "inside the allocation");
    assert_fails(haly_free(f->context, &local), HALY_ERR_INVALID, "ordinary host memory");
    assert_fails(haly_free(f->context, pinned), HALY_ERR_INVALID, "pinned memory");
    assert_fails(haly_host_free(f->context, live), HALY_ERR_INVALID, "device memory");
    assert_fails(haly_host_free(f->context, &local), HALY_ERR_INVALID, "ordinary host memory");
    assert_fails(haly_free_async(fixture_stream(f, 0), live + 1), HALY_ERR_INVALID, "inside the allocation");
    assert_fails(haly_memory_used_on(fixture_stream(f, 0), live + 1), HALY_ERR_INVALID, "inside the allocation");
    assert_fails(haly_memory_used_on(fixture_stream(f, 0), NULL), HALY_ERR_INVALID, "NULL");
    assert_ok(haly_free(f->context, live));
    assert_ok(haly_host_free(f->context, pinned));
    assert_fails(haly_host_free(f->context, pinned), HALY_ERR_INVALID, "freed already");
    assert_ok(haly_host_free(f->context, NULL));
    fixture_close(f);
}

static void memory_of_another_context_is_named(void **state)
{
    struct fixture *f = open_plain();
    struct haly_context other = *f->context;
    struct memory_view view;
    (void)state;
    char *address = take(f, 1000);
    other.object.id = 4711;
    other.timelines = NULL;
    const struct memory_config config = {.limit = 0};
    assert_ok(memory_open_with(&other, &config));
    assert_fails(haly_free(&other, address), HALY_ERR_INVALID, "belongs to context");
    assert_ok(memory_resolve(&other, address, 1000, "dst", &view));
    assert_ptr_equal(view.context, f->context);
    assert_ptr_equal(info_of(address).context, f->context);
    memory_close(&other);
    assert_ok(haly_free(f->context, address));
    fixture_close(f);
}

static void bad_requests_are_refused(void **state)
{
    struct fixture *plain = open_plain();
    haly_memory_desc desc = {HALY_MEMORY_DESC_INIT};
    void *address = plain;
    (void)state;
    assert_int_equal(haly_malloc(NULL, 1, NULL, &address), HALY_ERR_INVALID);
    assert_int_equal(haly_malloc(plain->context, 1, NULL, NULL), HALY_ERR_INVALID);
    assert_int_equal(haly_malloc_async((haly_stream *)plain->context, 1, NULL, &address), HALY_ERR_INVALID);
    desc.alignment = 48;
    assert_fails(haly_malloc(plain->context, 1, &desc, &address), HALY_ERR_INVALID, "alignment is 48");
    desc.alignment = 4 * MIB;
    assert_fails(haly_malloc(plain->context, 1, &desc, &address), HALY_ERR_INVALID, "up to 2 MiB");
    desc.alignment = 0;
    desc.flags = 1U << 20;
    assert_fails(haly_malloc(plain->context, 1, &desc, &address), HALY_ERR_UNSUPPORTED, "flags");
    const haly_ext link = {.type = 77, .size = sizeof link};
    desc = (haly_memory_desc){HALY_MEMORY_DESC_INIT, .ext = &link};
    assert_fails(haly_malloc(plain->context, 1, &desc, &address), HALY_ERR_UNSUPPORTED, "extension type 77");
    desc = (haly_memory_desc){.struct_size = 8};
    assert_fails(haly_malloc(plain->context, 1, &desc, &address), HALY_ERR_INVALID, "struct_size");
    assert_ptr_equal(address, plain); /* outputs stay as they were */
    assert_int_equal(fixture_stats(plain).malloc_calls, 0);
    fixture_close(plain);
}

static void addresses_may_be_stored_only_where_they_mean_something(void **state)
{
    const haly_memory_desc desc = {HALY_MEMORY_DESC_INIT, .flags = HALY_MEMORY_HOLDS_ADDRESSES};
    void *address = NULL;
    (void)state;
    struct fixture *f = open_plain();
    assert_ok(haly_malloc(f->context, 1, &desc, &address));
    assert_int_equal(info_of(address).flags, HALY_MEMORY_HOLDS_ADDRESSES);
    fixture_close(f);
    f = open_translated();
    assert_fails(haly_malloc(f->context, 1, &desc, &address), HALY_ERR_UNSUPPORTED, "mean nothing");
    fixture_close(f);
    f = open_movable();
    assert_fails(haly_malloc(f->context, 1, &desc, &address), HALY_ERR_UNSUPPORTED, "movable");
    fixture_close(f);
}

static void zeroed(struct fixture *f)
{
    const haly_memory_desc desc = {HALY_MEMORY_DESC_INIT, .flags = HALY_MEMORY_ZERO};
    haly_stream *stream = NULL;
    void *address = NULL, *previous = NULL;
    assert_ok(haly_stream_create(f->context, NULL, &stream));
    for (int i = 0; i < 6; i++) {
        assert_ok(i % 2 == 0 ? haly_malloc(f->context, 70001, &desc, &address)
                             : haly_malloc_async(stream, 70001, &desc, &address));
        unsigned char *native = memory_translate(f->context, address);
        for (int j = 0; j < 70001; j++)
            assert_int_equal(native[j], 0);
        memset(native, 0xA5, 70001);
        assert_ok(haly_stream_sync(stream, HALY_FOREVER));
        assert_ok(haly_free(f->context, address));
        if (previous != NULL)
            assert_ptr_equal(address, previous); /* used memory, not new */
        previous = address;
    }
    haly_stream_release(stream);
    haly_stream *zeroing = f->context->memory->zero_stream;
    assert_non_null(zeroing);
    assert_ptr_equal(f->context->objects, &zeroing->object); /* one stream served all of them */
    assert_null(f->context->objects->next);
    haly_stream_release(zeroing);
    fixture_close(f);
}

static void zeroed_memory_is_zero(void **state)
{
    (void)state;
    zeroed(open_plain());
    zeroed(open_translated());
    zeroed(open_movable());
}

static void descriptions_are_kept_with_the_allocation(void **state)
{
    struct fixture *f = open_plain();
    haly_memory_description description = {HALY_MEMORY_DESCRIPTION_INIT,
                                           .retention = HALY_RETAIN_REBUILD,
                                           .name = "weights",
                                           .dtype = HALY_F16,
                                           .rank = 2,
                                           .shape = {3, 5}};
    char long_name[200];
    (void)state;
    char *address = take(f, 100);
    haly_memory_info info = info_of(address + 7);
    assert_string_equal(info.name, "");
    assert_int_equal(info.retention, HALY_RETAIN_KEEP);
    assert_ok(haly_memory_describe(f->context, address, &description));
    info = info_of(address + 7);
    assert_ptr_equal(info.base, address);
    assert_int_equal(info.size, 100);
    assert_int_equal(info.offset, 7);
    assert_int_equal(info.memory_class, HALY_MEMORY_DEVICE);
    assert_int_equal(info.retention, HALY_RETAIN_REBUILD);
    assert_int_equal(info.dtype, HALY_F16);
    assert_int_equal(info.rank, 2);
    assert_int_equal(info.shape[1], 5);
    assert_string_equal(info.name, "weights");
    memset(long_name, 'x', sizeof long_name);
    long_name[199] = '\0';
    description.name = long_name;
    assert_fails(haly_memory_describe(f->context, address, &description), HALY_ERR_INVALID, "127 bytes");
    description.name = long_name + 72;
    assert_ok(haly_memory_describe(f->context, address, &description));
    assert_int_equal(strlen(info_of(address).name), 127);
    description.rank = 9;
    assert_fails(haly_memory_describe(f->context, address, &description), HALY_ERR_INVALID, "rank is 9");
    description.rank = 1;
    description.shape[0] = -1;
    assert_fails(haly_memory_describe(f->context, address, &description), HALY_ERR_INVALID, "shape[0] is -1");
    description.shape[0] = 1;
    description.dtype = (haly_dtype)999;
    assert_fails(haly_memory_describe(f->context, address, &description), HALY_ERR_INVALID, "dtype is 999");
    assert_fails(haly_memory_describe(f->context, address + 1, &description), HALY_ERR_INVALID, "dtype");
    description.dtype = HALY_DTYPE_NONE;
    assert_fails(haly_memory_describe(f->context, address + 1, &description), HALY_ERR_INVALID,
                 "inside the allocation");
    assert_ok(haly_free(f->context, address));
    assert_int_equal(info_of(address).memory_class, HALY_MEMORY_UNKNOWN);
    assert_ptr_equal(take(f, 100), address);
    assert_string_equal(info_of(address).name, "");
    assert_int_equal(info_of(address + 100).memory_class, HALY_MEMORY_UNKNOWN);
    fixture_close(f);
}

static void info_knows_what_lies_outside_too(void **state)
{
    struct fixture *f = open_plain();
    char local[100];
    void *pinned = NULL;
    (void)state;
    fake.foreign = local + 50;
    assert_int_equal(info_of(NULL).memory_class, HALY_MEMORY_UNKNOWN);
    assert_int_equal(info_of(local).memory_class, HALY_MEMORY_UNKNOWN);
    assert_null(info_of(local).context);
    assert_int_equal(info_of(local + 50).memory_class, HALY_MEMORY_FOREIGN);
    assert_ptr_equal(info_of(local + 50).context, f->context);
    assert_ok(haly_host_register(f->context, local, 40));
    const haly_memory_info info = info_of(local + 39);
    assert_int_equal(info.memory_class, HALY_MEMORY_REGISTERED);
    assert_ptr_equal(info.base, local);
    assert_int_equal(info.size, 40);
    assert_int_equal(info.offset, 39);
    assert_int_equal(info_of(local + 40).memory_class, HALY_MEMORY_UNKNOWN);
    assert_ok(haly_host_alloc(f->context, 1000, &pinned));
    assert_int_equal(info_of((char *)pinned + 999).memory_class, HALY_MEMORY_PINNED);
    assert_int_equal(info_of((char *)pinned + 999).offset, 999);
    fixture_close(f); /* ends the registration, gives the pinned memory back */
}

static void *ask_about(void *address)
{
    haly_memory_info info = {HALY_MEMORY_INFO_INIT};
    return (void *)(intptr_t)haly_memory_info_get(address, &info);
}

/* Whoever asks need not own the memory, so its context may be closing on another thread. */
static void a_context_stays_open_while_its_memory_is_described(void **state)
{
    struct fixture *f = open_plain();
    struct memory *memory = f->context->memory;
    void *address = take(f, MIB), *status = &status;
    const uint64_t moment = process_deadline(5 * UINT64_C(1000000000));
    pthread_t asker;
    (void)state;
    short_lock_acquire(&memory->device.lock);
    const bool is_started = pthread_create(&asker, NULL, ask_about, address) == 0;
    while (is_started && memory->visitors == 0 && process_remaining(moment) != 0)
        usleep(100);
    const uint32_t visitors = memory->visitors;
    short_lock_release(&memory->device.lock);
    assert_true(is_started);
    pthread_join(asker, &status);
    assert_int_equal((intptr_t)status, HALY_OK);
    assert_int_equal(visitors, 1); /* which memory_close() waits for */
    assert_int_equal(memory->visitors, 0);
    fixture_close(f);
}

static void the_cores_own_memory_follows_stream_order(void **state)
{
    struct fixture *f = open_plain();
    haly_stream *a = fixture_stream(f, 0), *b = fixture_stream(f, 1);
    void *first = NULL, *second = NULL, *none = f;
    (void)state;
    assert_ok(memory_alloc_ordered(f->context, a->timeline, 0, &none));
    assert_null(none);
    memory_free_ordered(f->context, a->timeline, NULL);
    assert_ok(memory_alloc_ordered(f->context, a->timeline, MIB, &first));
    stream_work(a);
    memory_free_ordered(f->context, a->timeline, first);
    assert_ok(memory_alloc_ordered(f->context, b->timeline, MIB, &second));
    assert_ptr_not_equal(second, first);
    assert_ok(memory_alloc_ordered(f->context, a->timeline, MIB, &second));
    assert_ptr_equal(second, first);
    fixture_close(f);
}

static void the_cores_own_memory_keeps_its_streams_pool(void **state)
{
    struct fixture *f = open_plain();
    struct timeline *timeline = fixture_stream(f, 20)->timeline;
    void *address = NULL;
    (void)state;
    assert_ok(memory_alloc_ordered(f->context, timeline, MIB, &address));
    for (uint32_t i = 0; i < 18; i++) { /* so many pools that empty ones are dropped */
        haly_stream *other = fixture_stream(f, i);
        void *held = NULL;
        assert_ok(haly_malloc_async(other, KIB, NULL, &held));
        stream_work(other);
        assert_ok(haly_free_async(other, held));
    }
    fixture_stats(f);
    assert_non_null(pool_find(&f->context->memory->device, timeline));
    memory_free_ordered(f->context, timeline, address);
    fixture_stats(f);
    assert_null(pool_find(&f->context->memory->device, timeline));
    fixture_close(f);
}

static void an_abandoned_context_never_calls_the_backend(void **state)
{
    static struct fixture *f; /* leaked, so it must stay reachable */
    f = open_movable();
    void *pinned = NULL, *freed = take(f, 30 * MIB);
    char local[10];
    (void)state;
    const char *live = take(f, MIB);
    assert_ok(haly_host_alloc(f->context, 100, &pinned));
    assert_ok(haly_host_register(f->context, local, sizeof local));
    assert_ok(haly_free(f->context, freed));
    const uint32_t segments = fake.segments;
    assert_ok(haly_context_abandon(f->context));
    fake.calls_are_fatal = 1;
    assert_int_equal(haly_malloc(f->context, MIB, NULL, &pinned), HALY_ERR_ABANDONED);
    assert_int_equal(haly_free(f->context, (void *)(uintptr_t)live), HALY_ERR_ABANDONED);
    assert_int_equal(haly_memory_trim(f->context, 0), HALY_ERR_ABANDONED);
    memory_close(f->context);
    assert_int_equal(fake.segments, segments);
    assert_true(host_can_read(live)); /* leaked: the device may still write there */
    pthread_mutex_destroy(&f->context->lock);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ordinary_addresses_are_the_backends_own),
        cmocka_unit_test(translated_addresses_lie_in_a_window_that_the_host_cannot_touch),
        cmocka_unit_test(movable_memory_is_placed_in_the_window),
        cmocka_unit_test(a_window_is_as_large_as_was_asked_or_refused),
        cmocka_unit_test(resolve_tells_ranges_apart),
        cmocka_unit_test(addresses_of_a_window_are_never_taken_for_host_memory),
        cmocka_unit_test(frees_say_what_the_address_is),
        cmocka_unit_test(memory_of_another_context_is_named),
        cmocka_unit_test(bad_requests_are_refused),
        cmocka_unit_test(addresses_may_be_stored_only_where_they_mean_something),
        cmocka_unit_test(zeroed_memory_is_zero),
        cmocka_unit_test(descriptions_are_kept_with_the_allocation),
        cmocka_unit_test(info_knows_what_lies_outside_too),
        cmocka_unit_test(a_context_stays_open_while_its_memory_is_described),
        cmocka_unit_test(the_cores_own_memory_follows_stream_order),
        cmocka_unit_test(the_cores_own_memory_keeps_its_streams_pool),
        cmocka_unit_test(an_abandoned_context_never_calls_the_backend),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
