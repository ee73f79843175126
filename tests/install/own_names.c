/* SPDX-License-Identifier: Apache-2.0 */
/* Names that libhalyard and its cpu backend use for themselves, as a program may have them. Linked beside outside.c and
 * a static libhalyard: neither may get the other's. */
extern int text_set, policy_load, loader_open, process_generation, intern, cpu_core, cpu_fail_errno;
int text_set = 1, policy_load = 1, loader_open = 1, process_generation = 1, intern = 1, cpu_core = 1,
    cpu_fail_errno = 1;
