/* SPDX-License-Identifier: Apache-2.0 */
/* One copy of each distinct text, kept for the life of the process: for configuration values, which are few and which
 * backends may hold on to. */
#ifndef HAL_INTERN_H
#define HAL_INTERN_H

/* NULL: out of memory. Any thread; takes no lock, so a fork cannot leave one behind. */
const char *intern(const char *text);

#endif
