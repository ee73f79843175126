/* SPDX-License-Identifier: Apache-2.0 */
/* The backend inside the test program: obviously right, one thread, everything done when submit returns. */
#include "inline_backend.h"

#include <stdlib.h>
#include <string.h>

#include <halyard/backend.h>
#include <kernels.h>

#include "block.h"
#include "device.h"
#include "instance.h"
#include "stubs.h"

#define KERNEL(name) extern const struct haly_kernel_meta haly_kernel_meta_##name;
#include <kernels.def>
#undef KERNEL

static const struct haly_kernel_meta *const metas[] = {
#define KERNEL(name) &haly_kernel_meta_##name,
#include <kernels.def>
#undef KERNEL
};

static struct inline_backend *seen;
static haly_instance *instance;
static struct backend backend;
static struct haly_device device;

struct stream_block {
    uint64_t completed;
};

struct kernel_block {
    const struct haly_kernel_meta *meta;
    _Alignas(8) char arguments[16 * 64]; /* rows of argument_bytes each */
};

static haly_status refuse(haly_status status, const char *why)
{
    return error_set("inline backend", status, HALY_SCOPE_CALL, HALY_RECOVER_NONE, 0, NULL, "%s", why);
}

static haly_status context_open(void *device_block, void *context, const haly_backend_context_desc *desc)
{
    (void)device_block, (void)context, (void)desc;
    return HALY_OK;
}

static void context_close(void *context)
{
    (void)context;
}

static void context_abandon(void *context)
{
    (void)context;
    seen->is_abandoned = true;
}

static haly_status segment_alloc(void *context, void *segment, const haly_segment_desc *desc, void **out_address)
{
    (void)context;
    *out_address = *(void **)segment = aligned_alloc(2U << 20, desc->size);
    return *out_address != NULL ? HALY_OK : refuse(HALY_ERR_DEVICE_OOM, "no memory");
}

static void segment_free(void *context, void *segment)
{
    (void)context;
    seen->late_calls += seen->is_abandoned;
    free(*(void **)segment);
}

static haly_status stream_create(void *context, void *stream, const haly_stream_desc *desc, void *token)
{
    (void)context, (void)stream, (void)desc, (void)token;
    return HALY_OK;
}

static void stream_destroy(void *stream)
{
    (void)stream;
    seen->late_calls += seen->is_abandoned;
}

static haly_status stream_query(void *stream, uint64_t *out_completed)
{
    *out_completed = ((struct stream_block *)stream)->completed;
    return HALY_OK;
}

static haly_status stream_wait(void *stream, uint64_t sequence, uint64_t deadline)
{
    (void)stream, (void)sequence, (void)deadline;
    return HALY_OK;
}

static void run_launch(const haly_command_launch *launch)
{
    const struct kernel_block *kernel = launch->kernel;
    struct haly_group group = {.size = {launch->group[0], launch->group[1], launch->group[2]}};
    for (uint32_t d = 0; d < 3; d++) {
        group.groups[d] = (haly_u32)launch->grid[d];
        seen->last_grid[d] = launch->grid[d];
    }
    for (uint32_t z = 0; z < group.groups[2]; z++)
        for (uint32_t y = 0; y < group.groups[1]; y++)
            for (uint32_t x = 0; x < group.groups[0]; x++) {
                group.group[0] = x;
                group.group[1] = y;
                group.group[2] = z;
                kernel->meta->entry(&group, launch + 1);
            }
    seen->launches++;
}

static void note_op(const haly_command_op *op)
{
    void *const *addresses = (void *const *)(op + 1);
    const int64_t *values = (const int64_t *)(addresses + op->address_count);
    seen->ops++;
    seen->last_workspace = op->workspace;
    seen->last_address_count = op->address_count;
    seen->last_value_count = op->value_count;
    memcpy(seen->last_addresses, addresses, op->address_count * sizeof *addresses);
    memcpy(seen->last_values, values, op->value_count * sizeof *values);
}

static haly_status submit(void *stream, const void *records, uint64_t bytes, uint64_t first_sequence,
                          uint64_t *out_accepted)
{
    const char *end = (const char *)records + bytes;
    for (const haly_command *record = records; (const char *)record < end;
         record = (const haly_command *)((const char *)record + record->size)) {
        if (record->kind == HALY_COMMAND_LAUNCH)
            run_launch((const haly_command_launch *)record);
        else if (record->kind == HALY_COMMAND_OP)
            note_op((const haly_command_op *)record);
        else if (record->kind == HALY_COMMAND_COPY)
            memcpy(((const haly_command_copy *)record)->dst, ((const haly_command_copy *)record)->src,
                   ((const haly_command_copy *)record)->size);
        else if (record->kind != HALY_COMMAND_RECORD && record->kind != HALY_COMMAND_WAIT)
            return refuse(HALY_ERR_UNSUPPORTED, "only launches, operators and copies");
        ++*out_accepted;
    }
    seen->submits++;
    ((struct stream_block *)stream)->completed = first_sequence + *out_accepted - 1;
    return HALY_OK;
}

static haly_status event_create(void *context, void *event, uint32_t flags)
{
    (void)context, (void)event, (void)flags;
    return HALY_OK;
}

static void event_destroy(void *event)
{
    (void)event;
    seen->late_calls += seen->is_abandoned;
}

static haly_status event_query(void *event)
{
    (void)event;
    return HALY_OK;
}

static haly_status module_load(void *context, void *module, const haly_backend_image *image)
{
    (void)context, (void)module;
    return image->format == HALY_MODULE_OPERATORS ? HALY_OK : refuse(HALY_ERR_UNSUPPORTED, "only operator kernels");
}

static void module_unload(void *module)
{
    (void)module;
    seen->late_calls += seen->is_abandoned;
}

static haly_status kernel_get(void *module, void *block, const char *name, haly_kernel_info *out_info)
{
    (void)module;
    struct kernel_block *kernel = block;
    for (size_t i = 0; i < sizeof metas / sizeof *metas && kernel->meta == NULL; i++)
        if (strcmp(metas[i]->name, name) == 0 && !(seen->hides_kernels && strcmp(name, "copy_4") == 0))
            kernel->meta = metas[i];
    if (kernel->meta == NULL)
        return refuse(HALY_ERR_NOT_FOUND, "no such kernel");
    const struct haly_kernel_meta *meta = kernel->meta;
    memset(kernel->arguments, 0xEE, sizeof kernel->arguments);
    for (uint32_t i = 0; i < meta->argument_count; i++) {
        const haly_argument_info row = {meta->arguments[i].offset, meta->arguments[i].size,
                                        meta->arguments[i].is_address, meta->arguments[i].is_const};
        memcpy(kernel->arguments + (size_t)i * seen->argument_bytes, &row, sizeof row);
    }
    out_info->argument_count = meta->argument_count;
    out_info->arguments = seen->argument_bytes != 0 ? (const void *)kernel->arguments : NULL;
    out_info->argument_size = seen->argument_bytes;
    out_info->argument_bytes = meta->argument_bytes;
    memcpy(out_info->group, meta->group_size, sizeof out_info->group);
    out_info->max_group_items = meta->max_items;
    return HALY_OK;
}

static void kernel_release(void *kernel)
{
    (void)kernel;
    seen->late_calls += seen->is_abandoned;
}

static haly_status plan_create(void *context, void *plan, const haly_op_desc *desc, haly_backend_plan *out_plan)
{
    (void)context, (void)plan, (void)desc;
    if (seen->plan_status != HALY_OK)
        return refuse(seen->plan_status, "the inline backend has none");
    memcpy(out_plan->path, "own path", sizeof "own path");
    out_plan->workspace_bytes = seen->workspace_bytes;
    seen->plans_alive++;
    return HALY_OK;
}

static void plan_destroy(void *plan)
{
    (void)plan;
    seen->late_calls += seen->is_abandoned;
    seen->plans_alive--;
}

static const haly_backend_table table = {
    .struct_size = HALY_SIZE_THROUGH(haly_backend_table, shutdown),
    .abi_major = HALY_BACKEND_ABI_MAJOR,
    .abi_minor = HALY_BACKEND_ABI_MINOR,
    .name = "inline",
    .version = "1.0.0",
    .segment_size = sizeof(void *),
    .stream_size = sizeof(struct stream_block),
    .kernel_size = sizeof(struct kernel_block),
    .plan_size = 8,
    .context_open = context_open,
    .context_close = context_close,
    .context_abandon = context_abandon,
    .segment_alloc = segment_alloc,
    .segment_free = segment_free,
    .stream_create = stream_create,
    .stream_destroy = stream_destroy,
    .stream_query = stream_query,
    .stream_wait = stream_wait,
    .submit = submit,
    .event_create = event_create,
    .event_destroy = event_destroy,
    .event_query = event_query,
    .module_load = module_load,
    .module_unload = module_unload,
    .kernel_get = kernel_get,
    .kernel_release = kernel_release,
    .plan_create = plan_create,
    .plan_destroy = plan_destroy,
};

void inline_backend_start(struct inline_backend *own)
{
    const struct instance_sources nothing = {.policy_file = "/nonexistent/policy.conf"};
    *own = (struct inline_backend){.capabilities = INLINE_CAPABILITIES,
                                   .storage_dtypes = ~UINT64_C(0),
                                   .argument_bytes = sizeof(haly_argument_info),
                                   .plan_status = HALY_ERR_UNSUPPORTED};
    seen = own;
    if (instance_create(NULL, &nothing, &instance) != HALY_OK)
        abort();
}

haly_context *inline_context_open(void)
{
    haly_context *context = NULL;
    seen->is_abandoned = false;
    memset(&backend, 0, sizeof backend);
    memset(&device, 0, sizeof device);
    memcpy(backend.name, "inline", sizeof "inline");
    stubs_complete(&table, &backend.table);
    object_init(&device.object, HALY_OBJECT_DEVICE, NULL);
    device.instance = instance;
    device.backend = &backend;
    device.block = &device;
    device.spec = (haly_device_spec){HALY_DEVICE_SPEC_INIT,
                                     .backend = "inline",
                                     .name = "inline device",
                                     .capabilities = seen->capabilities,
                                     .memory_bytes = UINT64_C(1) << 30,
                                     .max_allocation_bytes = UINT64_C(1) << 30,
                                     .allocation_alignment = 64,
                                     .max_group_items = 1024,
                                     .max_group = {1024, 1024, 64},
                                     .local_memory_bytes = 48 << 10,
                                     .max_grid = {INT32_MAX, 65535, 65535},
                                     .max_argument_bytes = 4096,
                                     .storage_dtypes = seen->storage_dtypes};
    const haly_context_desc desc = {HALY_CONTEXT_DESC_INIT, .device = &device, .window_bytes = UINT64_C(1) << 32};
    if (haly_context_open(instance, &desc, &context) != HALY_OK) {
        haly_error_print(stderr);
        abort();
    }
    return context;
}

void inline_backend_stop(void)
{
    haly_instance_release(instance);
    instance = NULL;
}
