/* SPDX-License-Identifier: Apache-2.0 */
/* The library's own version. */
#include <halyard/base.h>

#define TEXT_(number) #number
#define TEXT(number) TEXT_(number)

uint32_t haly_version(void)
{
    return HALY_VERSION_MAJOR * 1000000U + HALY_VERSION_MINOR * 1000U + HALY_VERSION_PATCH;
}

const char *haly_version_text(void)
{
    return TEXT(HALY_VERSION_MAJOR) "." TEXT(HALY_VERSION_MINOR) "." TEXT(HALY_VERSION_PATCH);
}
