/* SPDX-License-Identifier: Apache-2.0 */
/* Loads a compiled kernel module and launches it. Every launch is checked against the kernel's own table of arguments:
 * how many there are, their sizes, and that addresses lie in device memory wherever that can be told. A value of the
 * right size for an address can pass all the same. */
#include <halyard/halyard.h>

enum { COUNT = 1000 }; /* no multiple of the group size: the kernel cuts off the rest */

static haly_status scale(haly_context *context, haly_stream *stream, haly_kernel *kernel, float *host)
{
    void *x = NULL, *y = NULL;
    const float a = 2.0F, b = 0.5F;
    const uint64_t n = COUNT, bytes = COUNT * sizeof *host;
    haly_status status = haly_malloc(context, bytes, NULL, &x);
    if (status == HALY_OK)
        status = haly_malloc(context, bytes, NULL, &y);
    if (status == HALY_OK)
        status = haly_copy(stream, x, host, bytes);
    if (status == HALY_OK)
        status = haly_launch_1d(stream, kernel, n, 256, HALY_ARGS(x, y, a, b, n));
    if (status == HALY_OK)
        status = haly_copy(stream, host, y, bytes);
    if (status == HALY_OK)
        status = haly_stream_sync(stream, HALY_FOREVER);
    return status;
}

static haly_status run(haly_context *context, const char *path, float *host)
{
    haly_stream *stream = NULL;
    haly_module *module = NULL;
    haly_kernel *kernel = NULL;
    haly_status status = haly_stream_create(context, NULL, &stream);
    if (status == HALY_OK)
        status = haly_module_load_file(context, path, &module);
    if (status == HALY_OK)
        status = haly_kernel_get(module, "scale_bias", &kernel);
    if (status == HALY_OK)
        status = scale(context, stream, kernel, host);
    haly_kernel_release(kernel);
    haly_module_release(module);
    return status;
}

int main(int argc, char **argv)
{
    haly_instance *instance = NULL;
    haly_context *context = NULL;
    float host[COUNT];
    if (argc != 2) {
        fprintf(stderr, "usage: own_kernel MODULE\n");
        return 2;
    }
    for (int i = 0; i < COUNT; i++)
        host[i] = (float)i;
    haly_status status = haly_instance_create(NULL, &instance);
    if (status == HALY_OK)
        status = haly_context_open(instance, NULL, &context);
    if (status == HALY_OK)
        status = run(context, argv[1], host);
    if (status == HALY_OK)
        printf("2 * %d + 0.5 = %g\n", COUNT - 1, (double)host[COUNT - 1]);
    else
        haly_error_print(stderr);
    haly_context_release(context);
    haly_instance_release(instance);
    return status != HALY_OK || fflush(stdout) != 0;
}
