/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A backend that has every entry and can do nothing: the file to copy when bringing up new hardware. It opens, shows
 * one device without capabilities, opens a context on it, and answers everything else with HALY_ERR_UNSUPPORTED and a
 * sentence. Replace entries from top to bottom; backends/README.md says in which order, and how to run the conformance
 * suite on the way.
 *
 * Rules that hold for every entry are at the top of halyard/backend.h. The ones that newcomers break most often:
 *   - An error is `return core->fail(…)`; never a plain status, since the caller would then see an older message.
 *   - Never print, exit or abort. Never call the vendor from a destructor or from atexit().
 *   - The private blocks are the core's memory: zeroed, 64-byte aligned, at a fixed address. Keep all state in them.
 *   - submit copies what it needs before it returns, and never waits for work that is queued.
 */
#define _POSIX_C_SOURCE 200809L
#include <halyard/backend.h>

#include <stdbool.h>
#include <stdio.h>
#include <time.h>

/* The core's table: the one mutable global that a backend needs, besides the vendor's symbols. */
static const haly_core_table *core;

/* What every entry that does nothing yet returns. Say what is missing: people read it in `halyard doctor`. */
#define UNSUPPORTED(what)                                                                                              \
    core->fail(HALY_ERR_UNSUPPORTED, HALY_SCOPE_CALL, HALY_RECOVER_NONE, 0, NULL,                                      \
               "the template backend cannot %s: it only shows how a backend is written", what)

/* Options of the vendor's arrive as a chain: one that is not known and not marked optional is an error. The core has
 * made sure that the chain can be walked. */
static haly_status check_options(const haly_ext *ext)
{
    for (; ext != NULL; ext = ext->next)
        if (ext->optional == 0)
            return UNSUPPORTED("take options");
    return HALY_OK;
}

/* ---- private blocks ----
 * One struct per kind of object. What stands here is what a backend commonly needs: the vendor's handle, and the
 * parent. The core allocates sizeof of each (see the table) and hands the same block to every entry for that object. */

struct template_device {
    uint32_t index; /* the vendor's number of it */
};

struct template_context {
    struct template_device *device;
};

struct template_segment {
    void *address;
};

struct template_stream {
    struct template_context *context;
    void *token; /* the core's, for core->stream_failed() */
};

struct template_event {
    uint64_t sequence;
};

struct template_module {
    struct template_context *context;
};

struct template_kernel {
    struct template_module *module;
};

struct template_plan {
    struct template_context *context;
};

/* ---- 1. present? ----
 * Looks only: files, device nodes, versions. No vendor library is initialised here, because a program that then uses
 * another backend, or forks, must not pay for this one. Not present: HALY_ERR_UNAVAILABLE and why ("libvendor.so.1: not
 * found"). */
static haly_status probe(haly_backend_probe *out_probe)
{
    out_probe->device_count = 1; /* unknown before the library is initialised: 0, and maybe = 1 */
    out_probe->maybe = 0;
    snprintf(out_probe->version, sizeof out_probe->version, "none");
    return HALY_OK;
}

/* ---- 2. devices ----
 * Here the vendor's library may be initialised: once per process, whatever the number of instances. */
static haly_status device_count(uint32_t *out_count)
{
    *out_count = 1;
    return HALY_OK;
}

/* Fills the spec in completely; unknown numbers stay 0 and unknown texts "". Each capability bit is a promise that the
 * conformance suite then checks: set one only when its entries work. */
static haly_status device_open(uint32_t index, void *device, haly_device_spec *out_spec)
{
    struct template_device *self = device;
    if (index != 0)
        return core->fail(HALY_ERR_INVALID, HALY_SCOPE_CALL, HALY_RECOVER_NONE, 0, NULL,
                          "template device %u: there is one, number 0", index);
    self->index = index;
    out_spec->kind = HALY_DEVICE_OTHER;
    snprintf(out_spec->backend, sizeof out_spec->backend, "template");
    snprintf(out_spec->name, sizeof out_spec->name, "template");
    out_spec->numa_node = -1;
    out_spec->capabilities = 0;
    out_spec->allocation_alignment = 64; /* a power of two, also where there is no memory */
    out_spec->score = 0;                 /* used only when it is named; above 0 once it computes */
    return HALY_OK;
}

/* Undoes device_open. The device's contexts are gone by now. */
static void device_close(void *device)
{
    (void)device;
}

/* Live figures: temperature, free memory … Each has a bit in `valid`; what the vendor does not tell stays clear. When
 * it was taken is always told. Must not wait for queued work. */
static haly_status device_sample(void *device, haly_device_sample *out_sample)
{
    struct timespec now;
    (void)device;
    clock_gettime(CLOCK_MONOTONIC, &now);
    out_sample->time_ns = (uint64_t)now.tv_sec * 1000000000U + (uint64_t)now.tv_nsec;
    return HALY_OK;
}

/* ---- 3. context ----
 * Everything a program holds on one device. */
static haly_status context_open(void *device, void *context, const haly_backend_context_desc *desc)
{
    struct template_context *self = context;
    self->device = device;
    return check_options(desc->ext);
}

static void context_close(void *context)
{
    (void)context;
}

/* The device hangs: wake threads of this backend that wait for it, and never call the vendor for this context again.
 * What it held is leaked on purpose, since freeing could block for ever. */
static void context_abandon(void *context)
{
    (void)context;
}

/* ---- 4. streams ----
 * In-order queues. One that never has anything to do is enough for a start: create, destroy, query (0) and wait (OK)
 * let the suite begin, which makes streams for every case. Keep `token`: it names the stream when a command fails
 * later. */
static haly_status stream_create(void *context, void *stream, const haly_stream_desc *desc, void *token)
{
    (void)context;
    (void)stream;
    (void)token;
    const haly_status status = check_options(desc->ext);
    return status != HALY_OK ? status : UNSUPPORTED("create a stream");
}

/* Only with HALY_CAP_WRAP_STREAM: the caller's native stream, which it keeps owning. */
static haly_status stream_wrap(void *context, void *stream, const haly_native *native, void *token)
{
    (void)context;
    (void)stream;
    (void)native;
    (void)token;
    return UNSUPPORTED("wrap a native stream");
}

/* Idle by now. */
static void stream_destroy(void *stream)
{
    (void)stream;
}

/* The sequence of the last command that has finished, with all before it. A failed command has finished too. Never
 * blocks. Called at the same time as submit and stream_wait. */
static haly_status stream_query(void *stream, uint64_t *out_completed)
{
    (void)stream;
    (void)out_completed;
    return UNSUPPORTED("query a stream");
}

/* HALY_OK or HALY_TIMEOUT. A deadline of 0 does not wait, HALY_FOREVER has no end. A vendor without timed waits is
 * polled: spin for some 20 us, then sleep an eighth of the time waited so far, at most 1 ms. */
static haly_status stream_wait(void *stream, uint64_t sequence, uint64_t deadline)
{
    (void)stream;
    (void)sequence;
    (void)deadline;
    return UNSUPPORTED("wait for a stream");
}

/* ---- 5. memory ----
 * Large segments, which the core cuts up: a multiple of 2 MiB, aligned as asked. With HALY_CAP_PLACEMENT also at a
 * given address. Out of memory is HALY_ERR_DEVICE_OOM; keep it apart from HALY_ERR_HOST_OOM and
 * HALY_ERR_RESOURCE_EXHAUSTED. */
static haly_status segment_alloc(void *context, void *segment, const haly_segment_desc *desc, void **out_address)
{
    (void)context;
    (void)segment;
    (void)desc;
    (void)out_address;
    return UNSUPPORTED("allocate device memory");
}

/* Called for idle segments only, so it may synchronise, but need not. */
static void segment_free(void *context, void *segment)
{
    (void)context;
    (void)segment;
}

/* Pinned host memory: what the vendor's copies read and write without a detour. */
static haly_status host_alloc(void *context, uint64_t size, void **out_address)
{
    (void)context;
    (void)size;
    (void)out_address;
    return UNSUPPORTED("allocate pinned host memory");
}

static void host_free(void *context, void *address, uint64_t size)
{
    (void)context;
    (void)address;
    (void)size;
}

/* Only with HALY_CAP_HOST_REGISTER. */
static haly_status host_register(void *context, void *address, uint64_t size)
{
    (void)context;
    (void)address;
    (void)size;
    return UNSUPPORTED("register host memory");
}

static void host_unregister(void *context, void *address, uint64_t size)
{
    (void)context;
    (void)address;
    (void)size;
}

/* Asked for addresses the core does not know, before it takes them for host memory. May be called from several threads.
 */
static haly_memory_class pointer_info(void *context, const void *address)
{
    (void)context;
    (void)address;
    return HALY_MEMORY_UNKNOWN;
}

/* ---- 6. commands ----
 * The kinds that this backend can queue: copies and fills first, then launches, then operators. */
static bool is_known(uint16_t kind)
{
    (void)kind;
    return false;
}

/* Walks the records twice: first checks every kind (and a launch's options), since nothing may be queued when one is
 * unknown, then queues one after another and counts in *out_accepted. Records grow at their end, so step by `size` and
 * never by sizeof. */
static haly_status submit(void *stream, const void *records, uint64_t bytes, uint64_t first_sequence,
                          uint64_t *out_accepted)
{
    const char *end = (const char *)records + bytes;
    const haly_command *record;
    (void)stream;
    (void)first_sequence;
    *out_accepted = 0;
    for (const char *at = records; at < end; at += record->size) {
        record = (const haly_command *)(const void *)at;
        if (!is_known(record->kind))
            return UNSUPPORTED("run a command");
    }
    return HALY_OK; /* here the second walk would queue them */
}

/* ---- 7. events ----
 * The latest record counts. An event that was never recorded does not come here: the core knows that it is complete. */
static haly_status event_create(void *context, void *event, uint32_t flags)
{
    (void)context;
    (void)event;
    (void)flags;
    return UNSUPPORTED("create an event");
}

static void event_destroy(void *event)
{
    (void)event;
}

static haly_status event_query(void *event)
{
    (void)event;
    return UNSUPPORTED("query an event");
}

static haly_status event_wait(void *event, uint64_t deadline)
{
    (void)event;
    (void)deadline;
    return UNSUPPORTED("wait for an event");
}

/* Only with HALY_CAP_TIMING. HALY_NOT_READY until both have finished. */
static haly_status event_elapsed(void *start, void *end, int64_t *out_nanoseconds)
{
    (void)start;
    (void)end;
    (void)out_nanoseconds;
    return UNSUPPORTED("time events");
}

/* ---- 8. modules and kernels ----
 * Only with HALY_CAP_KERNELS. With HALY_CAP_OPERATOR_KERNELS the format HALY_MODULE_OPERATORS gives the kernels of
 * kernels/, and every operator of the library runs on them, before a single one is written by hand. */
static haly_status image_rank(void *context, const haly_backend_image *image, uint32_t *out_rank)
{
    (void)context;
    (void)image;
    (void)out_rank;
    return UNSUPPORTED("load a module");
}

static haly_status module_load(void *context, void *module, const haly_backend_image *image)
{
    (void)context;
    (void)module;
    const haly_status status = check_options(image->ext);
    return status != HALY_OK ? status : UNSUPPORTED("load a module");
}

static void module_unload(void *module)
{
    (void)module;
}

/* out_info->arguments must stay valid as long as the module. A table that contradicts itself is HALY_ERR_CORRUPT. */
static haly_status kernel_get(void *module, void *kernel, const char *name, haly_kernel_info *out_info)
{
    (void)module;
    (void)kernel;
    (void)name;
    (void)out_info;
    return UNSUPPORTED("find a kernel");
}

static void kernel_release(void *kernel)
{
    (void)kernel;
}

/* ---- 9. operators of the backend's own ----
 * Only with HALY_CAP_PLANS: where the vendor's library is quicker than the portable kernels. UNSUPPORTED makes the core
 * use those. Never convert a type silently: what the hardware lacks is an error that names it. */
static haly_status plan_create(void *context, void *plan, const haly_op_desc *desc, haly_backend_plan *out_plan)
{
    (void)context;
    (void)plan;
    (void)desc;
    (void)out_plan;
    return UNSUPPORTED("run an operator");
}

static void plan_destroy(void *plan)
{
    (void)plan;
}

/* ---- 10. the rest ---- */

/* The vendor's own handle of an object, for programs that also call the vendor's library. */
static haly_status native_get(haly_object_kind kind, void *block, haly_native *out_native)
{
    (void)kind;
    (void)block;
    (void)out_native;
    return UNSUPPORTED("hand out a native handle");
}

/* Stops this backend's threads. Calls no vendor function: the process may be exiting. */
static void shut_down(void)
{
}

/* Append-only: struct_size is measured through the last member that this file sets, so a backend that was built with an
 * older header still loads, and one that leaves entries out gets stubs of the core's for them. */
static const haly_backend_table table = {
    .struct_size = HALY_SIZE_THROUGH(haly_backend_table, image_rank),
    .abi_major = HALY_BACKEND_ABI_MAJOR,
    .abi_minor = HALY_BACKEND_ABI_MINOR,
    .name = "template", /* of the file libhalyard_backend_<name>.so and of the entry, too */
    .version = "1.0.0",
    .params = NULL, /* HALYARD_<BACKEND>_<NAME> variables, read with core->param() */
    .param_count = 0,
    .param_size = sizeof(haly_backend_param),
    .device_size = sizeof(struct template_device),
    .context_size = sizeof(struct template_context),
    .segment_size = sizeof(struct template_segment),
    .stream_size = sizeof(struct template_stream),
    .event_size = sizeof(struct template_event),
    .module_size = sizeof(struct template_module),
    .kernel_size = sizeof(struct template_kernel),
    .plan_size = sizeof(struct template_plan),
    .probe = probe,
    .device_count = device_count,
    .device_open = device_open,
    .device_close = device_close,
    .device_sample = device_sample,
    .context_open = context_open,
    .context_close = context_close,
    .context_abandon = context_abandon,
    .segment_alloc = segment_alloc,
    .segment_free = segment_free,
    .host_alloc = host_alloc,
    .host_free = host_free,
    .host_register = host_register,
    .host_unregister = host_unregister,
    .pointer_info = pointer_info,
    .stream_create = stream_create,
    .stream_wrap = stream_wrap,
    .stream_destroy = stream_destroy,
    .stream_query = stream_query,
    .stream_wait = stream_wait,
    .submit = submit,
    .event_create = event_create,
    .event_destroy = event_destroy,
    .event_query = event_query,
    .event_wait = event_wait,
    .event_elapsed = event_elapsed,
    .module_load = module_load,
    .module_unload = module_unload,
    .kernel_get = kernel_get,
    .kernel_release = kernel_release,
    .plan_create = plan_create,
    .plan_destroy = plan_destroy,
    .native_get = native_get,
    .shutdown = shut_down,
    .image_rank = image_rank,
};

/* The one exported function; its name carries the backend's. Called once per process, before anything else. */
HALY_BACKEND_EXPORT haly_status halyard_backend_template(const haly_core_table *core_table,
                                                         const haly_backend_table **out_table);

haly_status halyard_backend_template(const haly_core_table *core_table, const haly_backend_table **out_table)
{
    core = core_table;
    *out_table = &table;
    return HALY_OK;
}
