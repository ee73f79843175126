/* SPDX-License-Identifier: Apache-2.0 */
/* ggml's processor backend as a peer, opened at run time from the Python package libggml-python. */
#ifndef BENCH_PEER_GGML_H
#define BENCH_PEER_GGML_H

#include <stdint.h>

struct ggml_peer {
    char name[64];
    void *backend, *plan;
};

/* A planned graph of so many additions of one element each, on one thread. `folder` holds libggml-base.so and
 * libggml-cpu.so; NULL: where ci/setup --long puts them. Returns 0, and why, when it cannot be had. */
int ggml_open(struct ggml_peer *peer, const char *folder, uint32_t nodes, char why[256]);

/* Computes the graph. */
uint64_t ggml_compute(void *state, uint64_t count);

#endif
