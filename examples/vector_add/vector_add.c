/* SPDX-License-Identifier: Apache-2.0 */
/* The shortest complete program: doubles 1024 numbers on the best device of this machine, or on the one that
 * HALYARD_BACKEND or HALYARD_DEVICE names. */
#include <halyard/halyard.h>

int main(void)
{
    haly_instance *instance = NULL;
    haly_context *context = NULL;
    haly_stream *stream = NULL;
    void *x = NULL, *y = NULL; /* device addresses: ordinary pointers, never dereferenced by the host */
    float host[1024];
    for (int i = 0; i < 1024; i++)
        host[i] = (float)i;

    haly_status status = haly_instance_create(NULL, &instance); /* reads HALYARD_*; NULL: the documented defaults */
    if (status == HALY_OK)
        status = haly_context_open(instance, NULL, &context);
    if (status == HALY_OK)
        status = haly_stream_create(context, NULL, &stream);
    if (status == HALY_OK)
        status = haly_malloc(context, sizeof host, NULL, &x);
    if (status == HALY_OK)
        status = haly_malloc(context, sizeof host, NULL, &y);
    if (status == HALY_OK)
        status = haly_copy(stream, x, host, sizeof host); /* the direction follows from the addresses */
    if (status == HALY_OK)
        status = haly_op_add(stream, haly_f32_1d(y, 1024), haly_f32_1d(x, 1024), haly_f32_1d(x, 1024));
    if (status == HALY_OK)
        status = haly_copy(stream, host, y, sizeof host);
    if (status == HALY_OK)
        status = haly_stream_sync(stream, HALY_FOREVER); /* commands run in order; only now is `host` ours again */

    if (status == HALY_OK)
        printf("%g + %g = %g\n", 1023.0, 1023.0, (double)host[1023]);
    else
        haly_error_print(stderr);  /* one line: what, where, the vendor's own text */
    haly_context_release(context); /* releases what it holds; NULL is fine */
    haly_instance_release(instance);
    return status != HALY_OK || fflush(stdout) != 0;
}
