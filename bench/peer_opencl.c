/* SPDX-License-Identifier: Apache-2.0 */
/* PoCL through the OpenCL loader. */
#include "peer_opencl.h"

#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "pairs.h"

#define CL_DEVICE_TYPE_ALL 0xFFFFFFFFU
#define CL_DRIVER_VERSION 0x102D
#define CL_MEM_READ_WRITE 1U

static struct opencl_api api;

static const char source[] = "__kernel void empty(uint unused) {}";

static int load(char why[256])
{
    void *library = dlopen("libOpenCL.so.1", RTLD_NOW | RTLD_LOCAL);
    if (library == NULL) {
        snprintf(why, 256, "%s", dlerror());
        return 0;
    }
#define LOOK_UP(name_)                                                                                                 \
    do {                                                                                                               \
        *(void **)(void *)&api.name_ = dlsym(library, #name_);                                                         \
        if (api.name_ == NULL) {                                                                                       \
            snprintf(why, 256, "libOpenCL.so.1 has no %s", #name_);                                                    \
            return 0;                                                                                                  \
        }                                                                                                              \
    } while (0)
    LOOK_UP(clGetPlatformIDs);
    LOOK_UP(clGetDeviceIDs);
    LOOK_UP(clGetDeviceInfo);
    LOOK_UP(clCreateContext);
    LOOK_UP(clCreateCommandQueue);
    LOOK_UP(clCreateProgramWithSource);
    LOOK_UP(clBuildProgram);
    LOOK_UP(clCreateKernel);
    LOOK_UP(clSetKernelArg);
    LOOK_UP(clEnqueueNDRangeKernel);
    LOOK_UP(clEnqueueMarkerWithWaitList);
    LOOK_UP(clWaitForEvents);
    LOOK_UP(clFinish);
    LOOK_UP(clCreateBuffer);
    LOOK_UP(clReleaseMemObject);
#undef LOOK_UP
    return 1;
}

static void check(int32_t error, const char *what)
{
    if (error != 0)
        fail("%s failed with %d", what, error);
}

static void open_device(struct opencl *opencl, void *device, const char *flavour)
{
    const char *text = source;
    char version[64] = "";
    int32_t error = 0;
    opencl->api = &api;
    opencl->device = device;
    api.clGetDeviceInfo(device, CL_DRIVER_VERSION, sizeof version, version, NULL);
    snprintf(opencl->name, sizeof opencl->name, "PoCL %s %s", version, flavour);
    opencl->context = api.clCreateContext(NULL, 1, &device, NULL, NULL, &error);
    check(error, "clCreateContext");
    opencl->queue = api.clCreateCommandQueue(opencl->context, device, 0, &error);
    check(error, "clCreateCommandQueue");
    void *program = api.clCreateProgramWithSource(opencl->context, 1, &text, NULL, &error);
    check(error, "clCreateProgramWithSource");
    check(api.clBuildProgram(program, 1, &device, "", NULL, NULL), "clBuildProgram");
    opencl->kernel = api.clCreateKernel(program, "empty", &error);
    check(error, "clCreateKernel");
    const uint32_t unused = 0;
    check(api.clSetKernelArg(opencl->kernel, 0, sizeof unused, &unused), "clSetKernelArg");
    check(api.clEnqueueMarkerWithWaitList(opencl->queue, 0, NULL, &opencl->finished), "clEnqueueMarkerWithWaitList");
    check(api.clFinish(opencl->queue), "clFinish");
}

int opencl_open(struct opencl devices[2], char why[256])
{
    void *platform = NULL, *found[2] = {NULL, NULL};
    uint32_t count = 0;
    setenv("POCL_DEVICES", "basic pthread", 1);
    if (!load(why))
        return 0;
    if (api.clGetPlatformIDs(1, &platform, &count) != 0 || count == 0) {
        snprintf(why, 256, "there is no OpenCL platform");
        return 0;
    }
    if (api.clGetDeviceIDs(platform, CL_DEVICE_TYPE_ALL, 2, found, &count) != 0 || count < 2) {
        snprintf(why, 256, "the first OpenCL platform is not PoCL with its two devices \"basic\" and \"pthread\"");
        return 0;
    }
    open_device(&devices[0], found[0], "basic");
    open_device(&devices[1], found[1], "pthread");
    return 2;
}

static void launch(const struct opencl *opencl)
{
    const size_t one = 1;
    check(api.clEnqueueNDRangeKernel(opencl->queue, opencl->kernel, 1, NULL, &one, &one, 0, NULL, NULL),
          "clEnqueueNDRangeKernel");
}

uint64_t opencl_launch_and_finish(void *state, uint64_t count)
{
    const struct opencl *opencl = state;
    const uint64_t begin = now_ns();
    for (uint64_t i = 0; i < count; i++) {
        launch(opencl);
        api.clFinish(opencl->queue);
    }
    return now_ns() - begin;
}

uint64_t opencl_launch_parked(void *state, uint64_t count)
{
    uint64_t total = 0;
    for (uint64_t i = 0; i < count; i++) {
        usleep(PARK_MICROSECONDS);
        total += opencl_launch_and_finish(state, 1);
    }
    return total;
}

uint64_t opencl_enqueue(void *state, uint64_t count)
{
    const struct opencl *opencl = state;
    const uint64_t begin = now_ns();
    for (uint64_t i = 0; i < count; i++)
        launch(opencl);
    const uint64_t taken = now_ns() - begin;
    api.clFinish(opencl->queue);
    return taken;
}

uint64_t opencl_wait_finished(void *state, uint64_t count)
{
    const struct opencl *opencl = state;
    const uint64_t begin = now_ns();
    for (uint64_t i = 0; i < count; i++)
        api.clWaitForEvents(1, &opencl->finished);
    return now_ns() - begin;
}

uint64_t opencl_buffer(void *state, uint64_t count)
{
    const struct opencl *opencl = state;
    int32_t error = 0;
    const uint64_t begin = now_ns();
    for (uint64_t i = 0; i < count; i++)
        api.clReleaseMemObject(api.clCreateBuffer(opencl->context, CL_MEM_READ_WRITE, 65536, NULL, &error));
    return now_ns() - begin;
}
