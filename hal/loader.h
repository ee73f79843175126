/* SPDX-License-Identifier: Apache-2.0 */
/* Opening backends and coming to terms with them. They are chosen, and files trusted, before they come here. */
#ifndef HAL_LOADER_H
#define HAL_LOADER_H

#include <sys/types.h>

#include "backend.h"

/* Where a backend comes from: the entry function of one that is built in, or a file's real path and identity. */
struct loader_source {
    haly_backend_entry entry; /* NULL: a file */
    const char *real;
    dev_t device;
    ino_t inode;
};

/*
 * Opens the file, where there is one, and calls the entry function, once per process however many instances do this,
 * and fills in the backend's state, status, reason, version and completed table. The calling thread's failure detail is
 * left alone: what became of the backend is no failure of the call that looks for backends.
 */
void loader_open(struct backend *backend, const struct loader_source *source);

/* Asks an opened backend whether it is usable here, and updates state, status, reason and device_count. */
void loader_probe(struct backend *backend);

/* haly_shutdown(): calls the shutdown entry of every loaded backend. */
void loader_shutdown_backends(void);

/* In a child of fork: the lock may be held by a thread of the parent's. */
void loader_forked(void);

/* The failure that a backend's call left in the calling thread's detail; for calls whose failure is a property of the
 * backend. `serial` is error_serial() from before the call. */
haly_error loader_take_failure(haly_status status, uint64_t serial);

#endif
