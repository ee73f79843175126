/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How a conformance case is written. A case is a function with a name that is a sentence, the requirements it checks
 * (ids of the public headers), and the capabilities without which it is unsupported:
 *
 *     CTS_CASE(memory, malloc_of_zero_bytes_gives_null, "MEM-004") { … CTS_OK(haly_malloc(…)); … }
 *
 * It runs in a process of its own, so a failed expectation simply ends the process with its reason.
 */
#ifndef CTS_H
#define CTS_H

#include <stdint.h>
#include <string.h>

#include <halyard/halyard.h>

/** The kind of context a case runs in. */
enum cts_variant {
    CTS_ORDINARY = 0,
    CTS_MOVABLE = 1,
    CTS_STRICT = 2, /* ordinary, with device memory that the host cannot touch */
    CTS_NONE = 3,   /* the case opens its own contexts, or none: it runs once */
    CTS_VARIANTS = 4
};

struct cts;

struct cts_case {
    const char *group;
    const char *name;
    const char *requirements; /* ids, separated by blanks */
    void (*run)(struct cts *t);
    uint64_t capabilities; /* HALY_CAP_…: all of them must be declared */
    uint32_t flags;        /* enum cts_case_flags */
    int line;
    const char *file;
};

enum cts_case_flags {
    CTS_NO_CONTEXT = 1 << 0,    /* only an instance is made; runs once, in no variant */
    CTS_NO_INSTANCE = 1 << 1,   /* nothing is made */
    CTS_ONLY_STRICT = 1 << 2,   /* about strict contexts alone */
    CTS_ONLY_MOVABLE = 1 << 3,  /* about movable contexts alone */
    CTS_ONLY_ORDINARY = 1 << 4, /* about ordinary contexts alone (strict ones are ordinary too) */
    CTS_OPERATORS = 1 << 5      /* needs operators: plans of the backend's own, or the operator kernels */
};

/** What a case works with. */
struct cts {
    const struct cts_case *info;
    const struct cts_options *options;
    enum cts_variant variant;
    haly_instance *instance;
    haly_device *device;
    haly_device_spec spec;
    haly_context *context;
    haly_stream *stream;
    haly_stream *aux;   /* what the helpers below use, so that they work beside a stream that is held up */
    uint64_t random;    /* state of the generator */
    int is_broken;      /* the case failed or abandoned its context on purpose: no clean-up through it */
    uint32_t parts_run; /* sweeps: parts that ran, and parts that the device does not declare */
    uint32_t parts_unsupported;
    char reason[512]; /* why the last part was unsupported */
    struct cts_owned *owned;
    char error_log[512]; /* first line logged at error level that no expected failure explains */
    uint32_t failures_expected;
    uint32_t findings, findings_expected; /* of the validation layer, at level error */
    uint32_t hints;                       /* of the same, at level info */
    char hint[512];                       /* the latest */
};

#define CTS_SECTION __attribute__((section("cts_cases"), used))
#define CTS_CASE_WITH(group_, name_, requirements_, capabilities_, flags_)                                             \
    static void group_##_##name_(struct cts *t);                                                                       \
    static const struct cts_case group_##_##name_##_case = {                                                           \
        #group_, #name_, requirements_, group_##_##name_, (capabilities_), (flags_), __LINE__, __FILE__};              \
    static const struct cts_case *const group_##_##name_##_entry CTS_SECTION = &group_##_##name_##_case;               \
    static void group_##_##name_(struct cts *t __attribute__((unused)))

/** A case with a context and a stream, in every variant. */
#define CTS_CASE(group_, name_, requirements_) CTS_CASE_WITH(group_, name_, requirements_, 0, 0)
/** The same for devices that declare these capabilities. */
#define CTS_CASE_CAP(group_, name_, requirements_, capabilities_)                                                      \
    CTS_CASE_WITH(group_, name_, requirements_, capabilities_, 0)
/** A case about operators. */
#define CTS_CASE_OP(group_, name_, requirements_) CTS_CASE_WITH(group_, name_, requirements_, 0, CTS_OPERATORS)
/** A case that needs an instance alone. */
#define CTS_CASE_HOST(group_, name_, requirements_) CTS_CASE_WITH(group_, name_, requirements_, 0, CTS_NO_CONTEXT)

/* ---- expectations: each ends the case with a reason when it is not met ---- */
haly_status cts_expect_status(struct cts *t, const char *file, int line, const char *text, haly_status want,
                              haly_status got);
void cts_expect_equal(struct cts *t, const char *file, int line, const char *text, uint64_t want, uint64_t got);
void cts_fail_at(struct cts *t, const char *file, int line, const char *format, ...)
    __attribute__((format(printf, 4, 5), noreturn));

/* Each names its argument itself: handed to another macro it would be expanded before it is made a text. */
#define CTS_STATUS(want_, expression_) cts_expect_status(t, __FILE__, __LINE__, #expression_, (want_), (expression_))
#define CTS_OK(expression_) cts_expect_status(t, __FILE__, __LINE__, #expression_, HALY_OK, (expression_))
#define CTS_INVALID(expression_) cts_expect_status(t, __FILE__, __LINE__, #expression_, HALY_ERR_INVALID, (expression_))
#define CTS_EQUAL(want_, got_) cts_expect_equal(t, __FILE__, __LINE__, #got_, (uint64_t)(want_), (uint64_t)(got_))
#define CTS_CHECK(condition_, ...)                                                                                     \
    do {                                                                                                               \
        if (!(condition_))                                                                                             \
            cts_fail_at(t, __FILE__, __LINE__, __VA_ARGS__);                                                           \
    } while (0)
#define CTS_TRUE(condition_) CTS_CHECK(condition_, "%s does not hold", #condition_)

/** Ends the case as unsupported, after the caller has made sure that the device's declaration allows it. */
void cts_unsupported(struct cts *t, const char *format, ...) __attribute__((format(printf, 2, 3), noreturn));
/** One part of a sweep is not declared; the case is unsupported when no part ran. */
void cts_part_unsupported(struct cts *t, const char *format, ...) __attribute__((format(printf, 2, 3)));

/** The message of the last failure contains `part`. */
void cts_expect_message(struct cts *t, const char *file, int line, const char *part);
#define CTS_MESSAGE(part_) cts_expect_message(t, __FILE__, __LINE__, part_)
/** The detail of this thread's last failure. */
haly_error cts_last_error(struct cts *t);

/* ---- helpers; what they make is checked and given back after the case ---- */
#define CTS_SECONDS(n_) ((uint64_t)(n_)*1000000000U)
#define CTS_PATIENCE CTS_SECONDS(30) /* longer than anything correct takes, shorter than the runner's timeout */

uint64_t cts_random(struct cts *t);
uint64_t cts_below(struct cts *t, uint64_t limit);
double cts_uniform(struct cts *t, double low, double high);
void cts_random_bytes(struct cts *t, void *bytes, uint64_t size);

/** Instance with the runner's backend and device, and more parameters. Owned by the case. */
haly_status cts_try_instance(struct cts *t, const haly_param *params, uint32_t count, haly_instance **out_instance);
haly_instance *cts_instance(struct cts *t, const haly_param *params, uint32_t count);
/** Another context of the case's variant. `desc` may be NULL. Owned by the case. */
haly_context *cts_context(struct cts *t, const haly_context_desc *desc);
haly_context *cts_context_limited(struct cts *t, uint64_t memory_limit);
haly_context_desc cts_context_desc(struct cts *t);
haly_stream *cts_stream(struct cts *t);
haly_stream *cts_stream_of(struct cts *t, haly_context *context);
haly_event *cts_event(struct cts *t);
haly_event *cts_event_timed(struct cts *t);
/** Gives an object back after the case, as the helpers do with theirs. */
void cts_own_event(struct cts *t, haly_event *event);
void cts_own_plan(struct cts *t, haly_plan *plan);
void cts_own_module(struct cts *t, haly_module *module);
void cts_own_kernel(struct cts *t, haly_kernel *kernel);
void cts_own_graph(struct cts *t, haly_graph *graph);

/** Zeroed host memory, freed after the context. */
void *cts_host(struct cts *t, uint64_t size);
/** Device memory between guard bands that are checked after the case; filled with the sentinel 0xA5. */
void *cts_device(struct cts *t, uint64_t size);
void *cts_device_in(struct cts *t, haly_context *context, uint64_t size);
void *cts_device_from(struct cts *t, const void *bytes, uint64_t size);
/** Copies that have finished when they return, on a stream of their own. */
void cts_upload(struct cts *t, void *dst, const void *src, uint64_t size);
void cts_download(struct cts *t, void *dst, const void *src, uint64_t size);
/** Device memory holds `size` bytes that repeat `byte`, or those of `want`. */
void cts_expect_filled(struct cts *t, const void *address, uint8_t byte, uint64_t size);
void cts_expect_bytes(struct cts *t, const void *address, const void *want, uint64_t size);
void cts_sync(struct cts *t, haly_stream *stream);
haly_memory_stats cts_stats(struct cts *t, haly_context *context);

/** A host call that holds a stream up until the gate is opened (at the latest after the case). */
typedef struct cts_gate cts_gate;
cts_gate *cts_hold(struct cts *t, haly_stream *stream);
void cts_open(struct cts *t, cts_gate *gate);
/** Opens the gate from another thread after so many milliseconds. */
void cts_open_later(struct cts *t, cts_gate *gate, uint32_t milliseconds);
/** Waits until the stream has reached the gate. */
void cts_wait_held(struct cts *t, cts_gate *gate);

/** Writes down the order in which host calls run. */
#define CTS_RECORDS 4096
typedef struct cts_recorder {
    _Atomic uint32_t count;
    uint32_t values[CTS_RECORDS];
    haly_status statuses[CTS_RECORDS];
} cts_recorder;
cts_recorder *cts_recorder_new(struct cts *t);
haly_status cts_note(struct cts *t, haly_stream *stream, cts_recorder *recorder, uint32_t value);
/** Fails the stream: a host call that returns this number. */
haly_status cts_break(struct cts *t, haly_stream *stream, haly_status number);

void cts_sleep_ms(uint32_t milliseconds);
uint64_t cts_now_ns(void);

/** Runs `body` in a forked child; its return value (0 to 63), or 64 + number of the signal that ended it. */
int cts_fork(struct cts *t, int (*body)(struct cts *t, void *user), void *user);
/** The same with the default action for faults, whatever a sanitizer installed. */
int cts_fork_default(struct cts *t, int (*body)(struct cts *t, void *user), void *user);

/** Path of a file of the suite: "cts_basic.so". */
const char *cts_data_file(struct cts *t, const char *name);
haly_kernel *cts_kernel(struct cts *t, const char *file, const char *name);

static inline int cts_has(const struct cts *t, uint64_t capabilities)
{
    return (t->spec.capabilities & capabilities) == capabilities;
}

#endif
