/* SPDX-License-Identifier: Apache-2.0 */
/* How a framework plugs its tensors into Halyard: stream-ordered allocation instead of a cache of its own, and two
 * streams that share tensors without the host ever waiting in between. Prints what memory that took. */
#include <inttypes.h>

#include "tensor.h"

enum { ELEMENTS = 1 << 18, STEPS = 32 };
static float host[ELEMENTS];

/* Everything in here is one call after another until the first failure. */
#define TRY(expression)                                                                                                \
    do {                                                                                                               \
        const haly_status try_status = (expression);                                                                   \
        if (try_status != HALY_OK)                                                                                     \
            return try_status;                                                                                         \
    } while (0)

/* y = x + x, STEPS times, with a fresh tensor for every step as an eager framework would make. Each step frees its
 * input as soon as the operator is queued, so two blocks serve all steps: the block freed in one step is handed out in
 * the next, while the device has perhaps not begun with the first. */
static haly_status double_repeatedly(haly_context *context, haly_stream *compute, struct tensor *x)
{
    for (int step = 0; step < STEPS; step++) {
        struct tensor y = {0};
        TRY(tensor_create(context, compute, ELEMENTS, &y));
        TRY(haly_op_add(compute, tensor_view(&y), tensor_view(x), tensor_view(x)));
        TRY(tensor_written(&y));
        TRY(tensor_destroy(x));
        *x = y;
    }
    return HALY_OK;
}

/* Downloads the tensor in a second stream and destroys it before that copy has run. tensor_used() is what makes this
 * safe: without it the next tensor_create() in the home stream could be given the same memory. */
static haly_status download_behind(struct tensor *x, haly_stream *download)
{
    TRY(tensor_acquire(x, download));
    TRY(haly_copy(download, host, x->data, sizeof host));
    TRY(tensor_used(x, download));
    return tensor_destroy(x);
}

static haly_status train(haly_context *context, haly_stream *compute, haly_stream *download)
{
    struct tensor x = {0}, next = {0};
    const float one = 1.0F, minus_one = -1.0F;
    TRY(tensor_create(context, compute, ELEMENTS, &x));
    TRY(haly_fill(compute, x.data, &one, sizeof one, sizeof host));
    TRY(double_repeatedly(context, compute, &x));
    TRY(download_behind(&x, download));

    /* The next batch starts at once and would overwrite the result if it were given the memory being downloaded. */
    TRY(tensor_create(context, compute, ELEMENTS, &next));
    TRY(haly_fill(compute, next.data, &minus_one, sizeof minus_one, sizeof host));
    TRY(tensor_destroy(&next));
    TRY(haly_stream_sync(compute, HALY_FOREVER));
    return haly_stream_sync(download, HALY_FOREVER);
}

static haly_status print_statistics(haly_context *context)
{
    haly_memory_stats stats = {HALY_MEMORY_STATS_INIT};
    TRY(haly_memory_stats_get(context, &stats));
    printf("allocations    %" PRIu64 ", of them %" PRIu64 " without asking the device\n", stats.malloc_calls,
           stats.cache_hits);
    printf("peak in use    %" PRIu64 " KiB, of a step's %" PRIu64 " KiB each\n", stats.allocated_peak >> 10,
           (uint64_t)sizeof host >> 10);
    printf("taken          %" PRIu64 " KiB in %" PRIu64 " segments\n", stats.segment_bytes >> 10, stats.segment_count);
    TRY(haly_memory_trim(context, 0)); /* for example before another library needs the device */
    TRY(haly_memory_stats_get(context, &stats));
    printf("after trimming %" PRIu64 " KiB\n", stats.segment_bytes >> 10);
    return HALY_OK;
}

static haly_status run(haly_context *context)
{
    haly_stream *compute = NULL, *download = NULL;
    const haly_stream_desc compute_desc = {HALY_STREAM_DESC_INIT, .name = "compute"};
    const haly_stream_desc download_desc = {HALY_STREAM_DESC_INIT, .name = "download"};
    TRY(haly_stream_create(context, &compute_desc, &compute)); /* the context's release ends both */
    TRY(haly_stream_create(context, &download_desc, &download));
    TRY(train(context, compute, download));
    return print_statistics(context);
}

static int result_is_right(void)
{
    const float expected = 4294967296.0F; /* 2^STEPS, exact in binary32 */
    for (int i = 0; i < ELEMENTS; i++) {
        if (host[i] != expected) {
            fprintf(stderr, "element %d: expected %g, found %g\n", i, (double)expected, (double)host[i]);
            return 0;
        }
    }
    printf("result         %g in all %d elements\n", (double)expected, ELEMENTS);
    return 1;
}

int main(void)
{
    haly_instance *instance = NULL;
    haly_context *context = NULL;
    haly_status status = haly_instance_create(NULL, &instance);
    if (status == HALY_OK)
        status = haly_context_open(instance, NULL, &context);
    if (status == HALY_OK)
        status = run(context);
    if (status != HALY_OK)
        haly_error_print(stderr);
    if (context != NULL)
        haly_context_sync(context, HALY_FOREVER); /* after a failure copies into `host` may still be queued */
    haly_context_release(context);
    haly_instance_release(instance);
    return status != HALY_OK || !result_is_right() || fflush(stdout) != 0;
}
