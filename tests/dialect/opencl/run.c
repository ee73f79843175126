/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Runs a kernel of a source file through plain OpenCL 1.2, so that checkers without shared virtual memory can watch:
 *     run FILE KERNEL GROUPS WORDS OPTIONS   prints the 32-bit words that the kernel's one argument holds afterwards
 *     run FILE - 0 0 OPTIONS                 compiles FILE and prints the names of its kernels, each created
 */
#define CL_TARGET_OPENCL_VERSION 120
#include <CL/cl.h>

#include <stdio.h>
#include <stdlib.h>

static void must(cl_int code, const char *what)
{
    if (code == CL_SUCCESS)
        return;
    fprintf(stderr, "%s: OpenCL error %d\n", what, (int)code);
    exit(1);
}

static char *read_file(const char *path)
{
    FILE *file = fopen(path, "rb");
    char *text = calloc(1, 1 << 20);
    if (file == NULL || text == NULL || fread(text, 1, (1 << 20) - 1, file) == 0) {
        fprintf(stderr, "cannot read %s\n", path);
        exit(1);
    }
    fclose(file);
    return text;
}

static cl_program build(cl_context context, cl_device_id device, const char *path, const char *options)
{
    cl_int code;
    char *text = read_file(path);
    const char *parts[] = {text};
    cl_program program = clCreateProgramWithSource(context, 1, parts, NULL, &code);
    must(code, "clCreateProgramWithSource");
    code = clBuildProgram(program, 1, &device, options, NULL, NULL);
    if (code != CL_SUCCESS) {
        static char log[1 << 16];
        clGetProgramBuildInfo(program, device, CL_PROGRAM_BUILD_LOG, sizeof log - 1, log, NULL);
        fprintf(stderr, "%s\n", log);
    }
    must(code, path);
    free(text);
    return program;
}

static void list(cl_program program)
{
    cl_kernel kernels[256];
    cl_uint count = 0;
    must(clCreateKernelsInProgram(program, 256, kernels, &count), "clCreateKernelsInProgram");
    for (cl_uint i = 0; i < count; i++) {
        char name[128] = "";
        must(clGetKernelInfo(kernels[i], CL_KERNEL_FUNCTION_NAME, sizeof name, name, NULL), "clGetKernelInfo");
        printf("%s\n", name);
        clReleaseKernel(kernels[i]);
    }
}

static void launch(cl_context context, cl_device_id device, cl_program program, const char *name, size_t groups,
                   size_t words)
{
    cl_int code;
    const size_t items = groups * 64, group = 64;
    cl_uint *values = calloc(words, sizeof *values);
    if (values == NULL)
        exit(1);
    cl_mem memory = clCreateBuffer(context, CL_MEM_COPY_HOST_PTR, words * sizeof *values, values, &code);
    must(code, "clCreateBuffer");
    cl_command_queue queue = clCreateCommandQueue(context, device, 0, &code);
    must(code, "clCreateCommandQueue");
    cl_kernel kernel = clCreateKernel(program, name, &code);
    must(code, name);
    must(clSetKernelArg(kernel, 0, sizeof(cl_mem), &memory), "clSetKernelArg");
    must(clEnqueueNDRangeKernel(queue, kernel, 1, NULL, &items, &group, 0, NULL, NULL), "clEnqueueNDRangeKernel");
    must(clEnqueueReadBuffer(queue, memory, CL_TRUE, 0, words * sizeof *values, values, 0, NULL, NULL), "read");
    for (size_t i = 0; i < words; i++)
        printf("%u\n", values[i]);
    clReleaseKernel(kernel);
    clReleaseCommandQueue(queue);
    clReleaseMemObject(memory);
    free(values);
}

int main(int argc, char **argv)
{
    if (argc != 6) {
        fprintf(stderr, "usage: run FILE KERNEL GROUPS WORDS OPTIONS\n");
        return 2;
    }
    cl_platform_id platform;
    cl_device_id device;
    cl_int code;
    must(clGetPlatformIDs(1, &platform, NULL), "clGetPlatformIDs");
    must(clGetDeviceIDs(platform, CL_DEVICE_TYPE_ALL, 1, &device, NULL), "clGetDeviceIDs");
    cl_context context = clCreateContext(NULL, 1, &device, NULL, NULL, &code);
    must(code, "clCreateContext");
    cl_program program = build(context, device, argv[1], argv[5]);
    const size_t groups = strtoul(argv[3], NULL, 10), words = strtoul(argv[4], NULL, 10);
    if (groups == 0)
        list(program);
    else
        launch(context, device, program, argv[2], groups, words);
    clReleaseProgram(program);
    clReleaseContext(context);
    return 0;
}
