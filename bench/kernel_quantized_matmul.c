/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How fast the quantised matrix products of the cpu backend are on one thread: for each instruction set that this
 * machine has, format and shape of the chat model, microseconds, GB/s of quantised weights and GFLOP/s, for one row of
 * x (an answer's next token) and for 64 (reading a prompt). Weights of one shape are cycled through 64 MiB, so that
 * they come from memory as they do in a model; the best of the rounds counts.
 */
#define _GNU_SOURCE
#include <halyard/dtype.h>
#include "cpu_quantized_matmul.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

typedef void (*product)(const struct cpu_qmm *);

struct shape {
    uint64_t n, k;
};

static double now(void)
{
    struct timespec time;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time); /* not disturbed by what else runs */
    return (double)time.tv_sec + (double)time.tv_nsec * 1e-9;
}

static void *allocate(size_t size)
{
    void *memory = aligned_alloc(64, (size + 63) / 64 * 64);
    if (memory == NULL) {
        fprintf(stderr, "kernel_quantized_matmul: no memory for %zu bytes\n", size);
        exit(1);
    }
    return memory;
}

/* Blocks with small scales and random quants. */
static void fill_weights(uint8_t *weights, size_t size, uint32_t block)
{
    uint32_t state = 1;
    for (size_t i = 0; i < size; i++) {
        state = state * 1664525U + 1013904223U;
        weights[i] = (uint8_t)(state >> 24);
    }
    for (size_t i = 0; i + block <= size; i += block) {
        const uint8_t scales[4] = {0x66, 0x1e, 0x00, 0xa8}; /* d = 0.00625, m = -0.031 */
        memcpy(weights + i, scales, block == 20 ? 4 : 2);
    }
}

struct bench {
    const char *isa;
    product run;
    haly_dtype format;
    const char *format_name;
    uint32_t block_bytes;
    uint8_t *weights;
    size_t weights_size;
    float *x, *y;
};

static void measure(const struct bench *bench, struct shape shape, uint64_t m)
{
    const size_t size = (size_t)(shape.n * shape.k / 32 * bench->block_bytes);
    const size_t copies = bench->weights_size / size > 0 ? bench->weights_size / size : 1;
    double best = 1e30;
    struct cpu_qmm job = {.x = bench->x,
                          .x_stride = (int64_t)shape.k,
                          .weight_stride = (int64_t)(shape.k / 32 * bench->block_bytes),
                          .y = bench->y,
                          .y_stride = (int64_t)shape.n,
                          .k = shape.k,
                          .m1 = m,
                          .n1 = shape.n,
                          .format = (uint32_t)bench->format};
    for (double end = now() + 0.25; now() < end;) {
        const size_t rounds = m > 1 ? 1 : copies < 16 ? copies : 16;
        const double start = now();
        for (size_t i = 0; i < rounds; i++) {
            job.weight = bench->weights + (i + (size_t)rand()) % copies * size;
            bench->run(&job);
        }
        const double each = (now() - start) / (double)rounds;
        best = each < best ? each : best;
    }
    printf("%-9s %s  n %5" PRIu64 "  k %4" PRIu64 "  m %2" PRIu64 "  %9.1f us  %6.2f GB/s  %7.1f GFLOP/s\n", bench->isa,
           bench->format_name, shape.n, shape.k, m, best * 1e6, (double)size / best * 1e-9,
           2.0 * (double)(m * shape.n * shape.k) / best * 1e-9);
}

static void measure_all(struct bench *bench)
{
    static const struct shape shapes[] = {{576, 576}, {192, 576}, {1536, 576}, {576, 1536}, {49152, 576}};
    static const struct {
        haly_dtype format;
        const char *name;
        uint32_t bytes;
    } formats[] = {{HALY_Q4_0, "q4_0", 18}, {HALY_Q4_1, "q4_1", 20}, {HALY_Q8_0, "q8_0", 34}};
    for (size_t f = 0; f < 3; f++) {
        bench->format = formats[f].format;
        bench->format_name = formats[f].name;
        bench->block_bytes = formats[f].bytes;
        fill_weights(bench->weights, bench->weights_size, bench->block_bytes);
        for (size_t s = 0; s < 5; s++) {
            measure(bench, shapes[s], 1);
            measure(bench, shapes[s], 64);
        }
    }
}

int main(void)
{
    struct bench bench = {.weights_size = 64U << 20};
    bench.weights = allocate(bench.weights_size);
    bench.x = allocate(64 * 1536 * sizeof(float));
    bench.y = allocate(64 * 49152 * sizeof(float));
    for (int i = 0; i < 64 * 1536; i++)
        bench.x[i] = (float)(i % 23) * 0.1f - 1.1f;
#if defined(__x86_64__)
    if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512dq") &&
        __builtin_cpu_supports("avx512vl")) {
        bench.isa = "avx512";
        bench.run = haly_cpu_quantized_matmul_avx512;
        measure_all(&bench);
    }
    if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) {
        bench.isa = "avx2";
        bench.run = haly_cpu_quantized_matmul_avx2;
        measure_all(&bench);
    }
#endif
    bench.isa = "baseline";
    bench.run = haly_cpu_quantized_matmul_baseline;
    measure_all(&bench);
    free(bench.weights);
    free(bench.x);
    free(bench.y);
    return 0;
}
