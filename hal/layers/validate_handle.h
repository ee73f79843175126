/* SPDX-License-Identifier: Apache-2.0 */
/* The validation layer's judgement of handles, and of who uses them. Only once handles are listed (handles.h). */
#ifndef HAL_LAYERS_VALIDATE_HANDLE_H
#define HAL_LAYERS_VALIDATE_HANDLE_H

#include "layers/handles.h"

/* HALY_OK when the handle, which is not NULL, may be followed. Else it was released, with its context perhaps, or is
 * nothing of Halyard's: a finding, and HALY_ERR_INVALID. */
haly_status validate_handle(const char *function, const void *handle);

/* The same for retaining ("retain") and releasing: nobody gets a status. A child may be given back after its context
 * was released as long as it is there. */
bool validate_reference(const char *verb, const void *handle, uint32_t kind);

/* The calling thread runs a host call, which must not call Halyard. */
void validate_host_call_enter(void);
void validate_host_call_leave(void);

#endif
