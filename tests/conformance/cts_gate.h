/* SPDX-License-Identifier: Apache-2.0 */
/* What cts_own.c needs to know of gates. */
#ifndef CTS_GATE_H
#define CTS_GATE_H

#include "cts.h"

void cts_own_gate(struct cts *t, cts_gate *gate);
void cts_gate_free(cts_gate *gate);

#endif
