/* SPDX-License-Identifier: Apache-2.0 */
/* What stands between the libraries under test and the system. */
#ifndef TESTS_SWEEP_CALLS_H
#define TESTS_SWEEP_CALLS_H

/* A file that is opened in place of another: how a scenario brings a policy, whose path is fixed when Halyard is built.
 * NULL: none. */
void calls_stand_in(const char *path, const char *instead);

#endif
