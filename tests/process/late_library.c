/* SPDX-License-Identifier: Apache-2.0 */
/* A library that is linked to libhalyard, opened by a program with dlopen() and either closed again or left to exit().
 */
#define _GNU_SOURCE
#include "work.h"

static struct work work;
static char backend_name[16];

__attribute__((visibility("default"))) void late_library_begin(const char *backend);
__attribute__((visibility("default"))) void late_library_end(void);
__attribute__((visibility("default"))) void late_library_leave(void);

/* Leaves work in the queue. */
void late_library_begin(const char *backend)
{
    snprintf(backend_name, sizeof backend_name, "%s", backend);
    work_open(&work, backend);
    EXPECT_OK(work_queue(&work, 20));
}

void late_library_end(void)
{
    work_finish(&work);
    work_close(&work);
}

/* Lets the work go on while the library goes: nothing of it may be needed for that. */
void late_library_leave(void)
{
    EXPECT_OK(work_queue_on_device(&work, 300));
    work_close(&work);
    backend_name[0] = '\0';
}

__attribute__((destructor)) static void at_the_end(void)
{
    if (backend_name[0] == '\0')
        return;
    if (work.context != NULL) {
        EXPECT_OK(work_queue(&work, 2));
        late_library_end();
    }
    work_do_it_all(backend_name);
}
