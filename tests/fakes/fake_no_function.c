/* SPDX-License-Identifier: Apache-2.0 */
/* A library that exports the entry function's name for something else. */
#include <halyard/backend.h>

#ifdef FAKE_THREAD_LOCAL
#define STORAGE _Thread_local
#else
#define STORAGE
#endif

extern STORAGE long halyard_backend_fake[4];
HALY_BACKEND_EXPORT STORAGE long halyard_backend_fake[4] = {1, 2, 3, 4};
