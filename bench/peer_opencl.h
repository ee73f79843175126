/* SPDX-License-Identifier: Apache-2.0 */
/*
 * OpenCL as a peer, opened at run time. Only what is measured is declared; names, numbers and signatures are those of
 * the OpenCL 1.2 specification.
 */
#ifndef BENCH_PEER_OPENCL_H
#define BENCH_PEER_OPENCL_H

#include <stddef.h>
#include <stdint.h>

struct opencl_api {
    int32_t (*clGetPlatformIDs)(uint32_t, void **, uint32_t *);
    int32_t (*clGetDeviceIDs)(void *, uint64_t, uint32_t, void **, uint32_t *);
    int32_t (*clGetDeviceInfo)(void *, uint32_t, size_t, void *, size_t *);
    void *(*clCreateContext)(const intptr_t *, uint32_t, void *const *, void *, void *, int32_t *);
    void *(*clCreateCommandQueue)(void *, void *, uint64_t, int32_t *);
    void *(*clCreateProgramWithSource)(void *, uint32_t, const char **, const size_t *, int32_t *);
    int32_t (*clBuildProgram)(void *, uint32_t, void *const *, const char *, void *, void *);
    void *(*clCreateKernel)(void *, const char *, int32_t *);
    int32_t (*clSetKernelArg)(void *, uint32_t, size_t, const void *);
    int32_t (*clEnqueueNDRangeKernel)(void *, void *, uint32_t, const size_t *, const size_t *, const size_t *,
                                      uint32_t, void *const *, void **);
    int32_t (*clEnqueueMarkerWithWaitList)(void *, uint32_t, void *const *, void **);
    int32_t (*clWaitForEvents)(uint32_t, void *const *);
    int32_t (*clFinish)(void *);
    void *(*clCreateBuffer)(void *, uint64_t, size_t, void *, int32_t *);
    int32_t (*clReleaseMemObject)(void *);
};

/* One device of the peer, ready to launch an empty kernel. */
struct opencl {
    const struct opencl_api *api;
    char name[96]; /* "PoCL 3.1 basic" */
    void *device, *context, *queue, *kernel;
    void *finished; /* an event that was reached long ago */
};

/* PoCL's devices without and with worker threads. Returns how many there are (0 or 2); `why` says why none. */
int opencl_open(struct opencl devices[2], char why[256]);

/* The operations that are measured; each returns nanoseconds. */
uint64_t opencl_launch_and_finish(void *state, uint64_t count);
uint64_t opencl_launch_parked(void *state, uint64_t count);
uint64_t opencl_enqueue(void *state, uint64_t count);
uint64_t opencl_wait_finished(void *state, uint64_t count);
uint64_t opencl_buffer(void *state, uint64_t count);

#endif
