/* SPDX-License-Identifier: Apache-2.0 */
/* Names, numbers and signatures are those of ggml.h and ggml-backend.h, ggml 0.20. */
#include "peer_ggml.h"

#include <dlfcn.h>
#include <glob.h>
#include <stdio.h>
#include <stdlib.h>

#include "pairs.h"

#define GGML_TYPE_F32 0

struct ggml_init_params {
    size_t mem_size;
    void *mem_buffer;
    _Bool no_alloc;
};

static struct {
    void *(*ggml_init)(struct ggml_init_params);
    void *(*ggml_new_tensor_1d)(void *, int, int64_t);
    void *(*ggml_add)(void *, void *, void *);
    void *(*ggml_new_graph_custom)(void *, size_t, _Bool);
    void (*ggml_build_forward_expand)(void *, void *);
    float *(*ggml_get_data_f32)(const void *);
    const char *(*ggml_version)(void);
    void *(*ggml_backend_graph_plan_create)(void *, void *);
    int (*ggml_backend_graph_plan_compute)(void *, void *);
    void *(*ggml_backend_cpu_init)(void);
    void (*ggml_backend_cpu_set_n_threads)(void *, int);
} api;

static void *open_library(const char *folder, const char *name, char why[256])
{
    char path[1024];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    void *library = dlopen(path, RTLD_NOW | RTLD_GLOBAL);
    if (library == NULL)
        snprintf(why, 256, "%.250s", dlerror());
    return library;
}

/* The folder of the package in the Python environment of the peers. */
static int find_folder(char folder[1024])
{
    const char *cache = getenv("XDG_CACHE_HOME"), *home = getenv("HOME");
    char pattern[1024];
    glob_t found;
    snprintf(pattern, sizeof pattern, "%s%s/halyard/venv/long/lib/python3*/site-packages/libggml/lib64",
             cache != NULL ? cache : home, cache != NULL ? "" : "/.cache");
    const int is_found = glob(pattern, 0, NULL, &found) == 0 && found.gl_pathc > 0;
    if (is_found)
        snprintf(folder, 1024, "%s", found.gl_pathv[0]);
    globfree(&found);
    return is_found;
}

static int load(const char *folder, char why[256])
{
    void *base = open_library(folder, "libggml-base.so", why);
    void *cpu = base != NULL ? open_library(folder, "libggml-cpu.so", why) : NULL;
    if (cpu == NULL)
        return 0;
#define LOOK_UP(library_, name_)                                                                                       \
    do {                                                                                                               \
        *(void **)(void *)&api.name_ = dlsym(library_, #name_);                                                        \
        if (api.name_ == NULL) {                                                                                       \
            snprintf(why, 256, "ggml has no %s", #name_);                                                              \
            return 0;                                                                                                  \
        }                                                                                                              \
    } while (0)
    LOOK_UP(base, ggml_init);
    LOOK_UP(base, ggml_new_tensor_1d);
    LOOK_UP(base, ggml_add);
    LOOK_UP(base, ggml_new_graph_custom);
    LOOK_UP(base, ggml_build_forward_expand);
    LOOK_UP(base, ggml_get_data_f32);
    LOOK_UP(base, ggml_version);
    LOOK_UP(base, ggml_backend_graph_plan_create);
    LOOK_UP(base, ggml_backend_graph_plan_compute);
    LOOK_UP(cpu, ggml_backend_cpu_init);
    LOOK_UP(cpu, ggml_backend_cpu_set_n_threads);
#undef LOOK_UP
    return 1;
}

int ggml_open(struct ggml_peer *peer, const char *folder, uint32_t nodes, char why[256])
{
    char found[1024];
    if (folder == NULL && !find_folder(found)) {
        snprintf(why, 256, "the package libggml-python is not installed; ci/setup --long does");
        return 0;
    }
    if (!load(folder != NULL ? folder : found, why))
        return 0;
    const size_t room = (size_t)nodes * 1024 + (16U << 20);
    void *context = api.ggml_init((struct ggml_init_params){room, NULL, 0});
    void *x = api.ggml_new_tensor_1d(context, GGML_TYPE_F32, 1), *y = x;
    *api.ggml_get_data_f32(x) = 1;
    for (uint32_t i = 0; i < nodes; i++)
        y = api.ggml_add(context, y, x);
    void *graph = api.ggml_new_graph_custom(context, nodes + 16, 0);
    api.ggml_build_forward_expand(graph, y);
    peer->backend = api.ggml_backend_cpu_init();
    api.ggml_backend_cpu_set_n_threads(peer->backend, 1);
    peer->plan = api.ggml_backend_graph_plan_create(peer->backend, graph);
    snprintf(peer->name, sizeof peer->name, "ggml %s", api.ggml_version());
    ggml_compute(peer, 1);
    if (*api.ggml_get_data_f32(y) != (float)(nodes + 1))
        fail("ggml's graph computed %f, expected %u", (double)*api.ggml_get_data_f32(y), nodes + 1);
    return 1;
}

/* Times are those of one node. */
uint64_t ggml_compute(void *state, uint64_t count)
{
    const struct ggml_peer *peer = state;
    const uint64_t begin = now_ns();
    for (uint64_t i = 0; i < count; i++)
        if (api.ggml_backend_graph_plan_compute(peer->backend, peer->plan) != 0)
            fail("ggml could not compute its graph");
    return now_ns() - begin;
}
