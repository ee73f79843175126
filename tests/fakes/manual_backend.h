/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The manual backend: a device whose streams move only as far as a test lets them. The native handle of a stream is its
 * struct manual_stream. Parameters say which capabilities the device has, so that the core's substitutes run.
 */
#ifndef TESTS_FAKES_MANUAL_BACKEND_H
#define TESTS_FAKES_MANUAL_BACKEND_H

#include <stdatomic.h>
#include <stdint.h>

/* What a test sees and sets. */
struct manual_control {
    _Atomic uint64_t allowed;       /* commands up to this sequence may run; UINT64_MAX at first */
    _Atomic uint64_t completed;     /* the last that ran */
    _Atomic uint64_t fail_at;       /* this command fails instead of running; 0: none */
    _Atomic uint32_t fail_scope;    /* haly_error_scope of that failure */
    _Atomic uint32_t fail_recovery; /* its haly_error_recovery; RECREATE at first */
    _Atomic uint32_t answer_scope;  /* not 0: asking and waiting fail with this haly_error_scope */
    _Atomic uint32_t fail_wait;     /* not 0: the next wait lets all run and fails, its haly_error_scope is one less */
    _Atomic uint64_t refuse_after;  /* submit accepts this many records more, then fails; UINT64_MAX at first */
    _Atomic uint32_t refuse_scope;  /* haly_error_scope of that failure */
    _Atomic uint64_t submitted;     /* records accepted */
    _Atomic uint64_t refusals;      /* submits that were refused */
    _Atomic uint64_t latest;        /* sequence of the last record accepted */
    _Atomic uint64_t vain_waits;    /* waits for commands that were never given to it */
    _Atomic uint32_t hold_submit;   /* while set, submit does not come back */
    _Atomic uint32_t held;          /* submits inside that */
    _Atomic uint64_t waits;         /* that threads have begun in the backend */
    _Atomic uint32_t is_destroyed;  /* what tests see of it stays readable */
};

/* Of all contexts; the native handle of each. */
struct manual_device {
    const char *_Atomic foreign;           /* start of 4096 bytes of device memory that the core did not allocate */
    _Atomic uint64_t foreign_copies;       /* copies that named it as such */
    _Atomic uint64_t questions;            /* what addresses are */
    struct manual_control *_Atomic latest; /* of the stream that was made last */

    /* For the next stream, and for that one alone. */
    _Atomic uint64_t allow_new_stream; /* what it is allowed at first; UINT64_MAX: all */
    _Atomic uint32_t fail_new_stream;  /* not 0: its first command fails with this haly_error_scope */
};

#endif
