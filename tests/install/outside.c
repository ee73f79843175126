/* SPDX-License-Identifier: Apache-2.0 */
/* A program outside Halyard's tree: uses enough of the library that a copy that was not installed whole would fail:
 * a backend, an operator, the error text. */
#include <halyard/halyard.h>

static haly_status twice(haly_stream *stream, float *x, float *host, uint64_t bytes)
{
    const haly_tensor tensor = haly_f32_1d(x, (int64_t)(bytes / sizeof *host));
    haly_status status = haly_copy(stream, x, host, bytes);
    if (status == HALY_OK)
        status = haly_op_add(stream, tensor, tensor, tensor);
    if (status == HALY_OK)
        status = haly_copy(stream, host, x, bytes);
    return status == HALY_OK ? haly_stream_sync(stream, HALY_FOREVER) : status;
}

int main(void)
{
    haly_instance *instance = NULL;
    haly_context *context = NULL;
    haly_stream *stream = NULL;
    void *x = NULL;
    float host[4] = {1, 2, 3, 4};
    haly_status status = haly_instance_create(NULL, &instance);
    if (status == HALY_OK)
        status = haly_context_open(instance, NULL, &context);
    if (status == HALY_OK)
        status = haly_stream_create(context, NULL, &stream);
    if (status == HALY_OK)
        status = haly_malloc(context, sizeof host, NULL, &x);
    if (status == HALY_OK)
        status = twice(stream, (float *)x, host, sizeof host);
    if (status != HALY_OK)
        haly_error_print(stderr);
    else
        printf("%s %g %g %g %g\n", haly_version_text(), (double)host[0], (double)host[1], (double)host[2],
               (double)host[3]);
    haly_context_release(context);
    haly_instance_release(instance);
    return status != HALY_OK;
}
