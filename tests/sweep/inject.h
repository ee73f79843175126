/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Counting calls and failing the Nth. All of it stands in memory that is shared with the runner, so that a child which
 * crashes or hangs has told already where, and so that a child's own children count on.
 */
#ifndef TESTS_SWEEP_INJECT_H
#define TESTS_SWEEP_INJECT_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include <halyard/error.h>

enum group {
    GROUP_MEMORY,
    GROUP_MAP,
    GROUP_UNMAP,
    GROUP_OPEN,
    GROUP_LOOK,
    GROUP_READ,
    GROUP_WRITE,
    GROUP_LOAD,
    GROUP_SYMBOL,
    GROUP_THREAD,
    GROUP_SYSTEM,
    GROUP_ADVISE,
    GROUP_SLEEP,
    GROUP_DNNL,
    GROUP_ENTRY,   /* entries of a backend */
    GROUP_COMMAND, /* commands that a backend took */
    GROUPS
};

/* A row of faults.def. */
struct fault {
    enum group group;
    const char *name;
    int code;
    haly_error_scope scope; /* of a backend's failure */
    haly_error_recovery recovery;
};

extern const struct fault faults[];
extern const uint32_t fault_count;
const struct fault *fault_find(const char *name);

/* A place that calls: in an object under test the address behind the call, in a backend's table the entry. */
struct site {
    char call[48];
    char object[256]; /* path of its file; for a backend's entry "" or ENTRY_OF_SERVICE */
    uint64_t offset;
    uint64_t hits;
};

#define ENTRY_OF_SERVICE "service" /* an entry that a thread of the library's own called */
#define SITES_MOST 2048U
#define SITE_NONE UINT32_MAX
#define TRACE_MOST 4096U

/* One call of a group: where it came from, and under which step of the scenario. */
struct trace {
    uint32_t site, step;
};

struct injection {
    const struct fault *_Atomic fault; /* NULL: calls are counted only */
    _Atomic bool is_armed;             /* else calls pass uncounted */
    bool persists;                     /* the Nth and all behind it */
    uint64_t nth;
    _Atomic uint64_t hits[GROUPS];
    _Atomic uint32_t injected;   /* how many calls failed */
    _Atomic uint32_t first_site; /* of the first of them */
    char first_backend[256];     /* file of the backend that its thread was looking at; "": at none yet */
    atomic_flag lock;            /* of the sites */
    uint32_t site_count;
    struct site sites[SITES_MOST];
    _Atomic uint32_t step;                   /* a number for the step that is running */
    struct trace traces[GROUPS][TRACE_MOST]; /* the first calls of each group, in their order */
};

/* The runner's, in shared memory; set before anything else here is called. */
extern struct injection *injection;

/* Starts over. A fault of NULL counts. */
void inject_arm(const struct fault *fault, uint64_t nth, bool persists);
/* From here on calls pass. */
void inject_disarm(void);

/* A call of a group is being made from `from`; not NULL when it must fail. `out_site` may be NULL. */
const struct fault *inject_call(enum group group, const char *call, const void *from, uint32_t *out_site);

/* The same for a backend's entry or command. Used by the backend that fails on purpose. */
__attribute__((visibility("default"))) const struct fault *inject_entry(enum group group, const char *entry);

/* The calling thread looks at a file now: it is remembered when it is a backend's. */
void inject_look(const char *path);

/* Says which step of the scenario begins. */
void inject_step(const char *step);

#endif
